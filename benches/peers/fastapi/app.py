"""The endpoints on FastAPI, with Pydantic's types of what comes in and of what goes out, and asyncpg."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

ID = UUID("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5")
CREATED_AT = "2026-01-01T00:00:00Z"

READ = (
    "SELECT id, title, description, status, created_at FROM bench_tasks "
    "WHERE status = $1 ORDER BY created_at DESC LIMIT 10"
)
WRITE = (
    "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) "
    "RETURNING id, title, description, status, created_at"
)

Title = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str | None, Field(max_length=2000)]


class Health(BaseModel):
    status: str


class Item(BaseModel):
    id: int
    tenant: str | None
    limit: int
    q: str | None


class NewTask(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    title: Title
    description: Description = None
    # Strict, as Pydantic would turn a "3" into a 3.
    priority: Annotated[int, Field(strict=True, ge=1, le=5)]
    tags: Annotated[list[str], Field(max_length=10)]
    assignee_id: UUID


class Task(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    id: UUID
    title: str
    description: str | None
    priority: int
    tags: list[str]
    assignee_id: UUID
    status: str
    created_at: str


class Wanted(BaseModel):
    status: str


class NewRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description = None
    status: str


class Row(BaseModel):
    id: int
    title: str
    description: str | None
    status: str
    created_at: datetime


api = APIRouter()


@api.get("/_health/live")
async def live() -> Health:
    return Health(status="ok")


@api.get("/items/{id}")
async def get_item(
    id: Annotated[int, Path(ge=-(2**63), le=2**63 - 1)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    q: Annotated[str | None, Query(max_length=100)] = None,
    x_tenant: Annotated[str | None, Header()] = None,
) -> Item:
    return Item(id=id, tenant=x_tenant, limit=limit, q=q)


@api.post("/tasks")
async def create_task(task: NewTask) -> Task:
    return Task(
        id=ID,
        title=task.title,
        description=task.description,
        priority=task.priority,
        tags=task.tags,
        assignee_id=task.assignee_id,
        status="open",
        created_at=CREATED_AT,
    )


database = APIRouter(prefix="/db/tasks")


async def pool_of(request: Request) -> asyncpg.Pool:
    return request.app.state.pool


Pool = Annotated[asyncpg.Pool, Depends(pool_of)]


async def read(pool: asyncpg.Pool, status: str) -> list[Row]:
    return [Row(**row) for row in await pool.fetch(READ, status)]


@database.get("")
async def list_tasks(pool: Pool, status: str) -> list[Row]:
    return await read(pool, status)


@database.post("/search")
async def search(pool: Pool, wanted: Wanted) -> list[Row]:
    return await read(pool, wanted.status)


@database.post("")
async def create(pool: Pool, new: NewRow) -> Row:
    return Row(**await pool.fetchrow(WRITE, new.title, new.description, new.status))


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    connections = max(1, 20 // int(os.environ.get("WORKERS") or 1))
    url = os.environ["DATABASE_URL"]
    # No other peer encrypts, and it would where the server can.
    async with asyncpg.create_pool(url, min_size=1, max_size=connections, ssl=False) as pool:
        app.state.pool = pool
        yield


has_database = bool(os.environ.get("DATABASE_URL"))
app = FastAPI(title="tasks", version="1.0.0", lifespan=connected if has_database else None)
app.include_router(api)
if has_database:
    app.include_router(database)
