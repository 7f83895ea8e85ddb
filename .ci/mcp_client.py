"""A client of the example `mcp_tools`, on the official Python SDK. See `check-mcp`, which runs it.

The SDK holds every structured answer against the tool's output schema, and every message against the protocol.
"""

import asyncio
import json
import sys

import httpx2
from jsonschema import Draft202012Validator
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

TOOLS = ["books_find", "books_show", "books_lend", "books_take_back", "catalogue"]


def problem(result):
    """Returns the problem document that a tool answered."""
    assert result.is_error, result
    return json.loads(result.content[0].text)


async def use(client):
    """Does what a model would: looks around, lends a book, is refused, mends its calls."""
    listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == TOOLS, listed
    for tool in listed:
        assert tool.description and tool.title, tool
        for schema in filter(None, [tool.input_schema, tool.output_schema]):
            Draft202012Validator.check_schema(schema)
    assert {tool.name: tool.annotations.read_only_hint for tool in listed}["books_find"] is True

    found = await client.call_tool("books_find", {"words": "AUSTEN", "limit": 1})
    assert not found.is_error, found
    [book] = found.structured_content["result"]
    assert json.loads(found.content[0].text) == found.structured_content
    assert (book["title"], book["state"]) == ("Persuasion", {"kind": "here"}), book

    lent = await client.call_tool("books_lend", {"id": book["id"], "reader": "Ada", "days": 7})
    assert not lent.is_error and lent.structured_content["state"]["reader"] == "Ada", lent
    assert "/loan" not in lent.model_dump_json(), "headers are for callers over HTTP"
    again = problem(await client.call_tool("books_lend", {"id": book["id"], "reader": "Charles"}))
    assert (again["status"], again["code"]) == (409, "book_lent"), again
    back = await client.call_tool("books_take_back", {"id": book["id"]})
    assert not back.is_error and back.content == [], back

    wrong = problem(await client.call_tool("books_lend", {"id": "one", "reader": "", "colour": "red"}))
    assert wrong["code"] == "invalid_input", wrong
    assert [error["pointer"] for error in wrong["errors"]] == ["/colour", "/id", "/reader"], wrong
    printed = await client.call_tool("catalogue", {})
    assert printed.content[0].text.startswith("id,title,author\n"), printed
    try:
        await client.call_tool("books_burn", {})
    except MCPError as error:
        assert error.error.code == -32602, error
    else:
        raise AssertionError("a tool that is not there answered")


async def refused(client):
    """Is nobody: looks at books, and lends none."""
    shown = await client.call_tool("books_show", {"id": 1})
    assert shown.structured_content["title"] == "Frankenstein", shown
    denied = problem(await client.call_tool("books_lend", {"id": 1, "reader": "Ada"}))
    assert (denied["status"], denied["code"]) == (401, "api_key_missing"), denied


async def main(url, key, example, folder):
    for mode, revision in [("auto", "2026-07-28"), ("legacy", "2025-11-25")]:
        for headers, work in [({"X-Api-Key": key}, use), ({}, refused)]:
            async with httpx2.AsyncClient(headers=headers) as http:
                async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                    assert client.protocol_version == revision, client.protocol_version
                    await work(client)
        for arguments, work in [(["mcp", "--as", "service:desk"], use), (["mcp"], refused)]:
            async with Client(StdioServerParameters(command=example, args=arguments, cwd=folder), mode=mode) as client:
                assert client.protocol_version == revision, client.protocol_version
                await work(client)
        print(f"the Python SDK uses the tools over both transports, in revision {revision}")


asyncio.run(main(*sys.argv[1:]))
