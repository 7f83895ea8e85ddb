// The endpoints on Fastify, with schemas of what comes in and of what goes out.
import postgres from "@fastify/postgres";
import swagger from "@fastify/swagger";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import fastify from "fastify";
import pg from "pg";

const ID = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5";
const CREATED_AT = "2026-01-01T00:00:00Z";

const READ = {
  name: "read",
  text: "SELECT id, title, description, status, created_at FROM bench_tasks WHERE status = $1 ORDER BY created_at DESC LIMIT 10",
};
const WRITE = {
  name: "write",
  text: "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) RETURNING id, title, description, status, created_at",
};

const text = { type: "string" };
const optional = { type: "string", nullable: true };
// A number of JavaScript has 53 bits: an id that would be rounded is refused.
const id = { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
const title = { type: "string", minLength: 1, maxLength: 200 };
const description = { type: "string", maxLength: 2000, nullable: true };

const health = { response: { 200: { type: "object", properties: { status: text } } } };

const item = {
  params: { type: "object", properties: { id }, required: ["id"] },
  querystring: {
    type: "object",
    properties: { limit: { type: "integer", minimum: 1, maximum: 100, default: 20 }, q: { type: "string", maxLength: 100 } },
  },
  headers: { type: "object", properties: { "x-tenant": text } },
  response: {
    200: { type: "object", properties: { id, tenant: optional, limit: { type: "integer" }, q: optional } },
  },
};

const given = {
  title,
  description,
  priority: { type: "integer", minimum: 1, maximum: 5 },
  tags: { type: "array", items: text, maxItems: 10 },
  assigneeId: { type: "string", format: "uuid" },
};

const task = {
  body: {
    type: "object",
    properties: given,
    required: ["title", "priority", "tags", "assigneeId"],
    additionalProperties: false,
  },
  response: {
    200: {
      type: "object",
      properties: { id: { type: "string", format: "uuid" }, ...given, status: text, createdAt: { type: "string", format: "date-time" } },
    },
  },
};

const row = {
  type: "object",
  properties: { id, title: text, description: optional, status: text, created_at: { type: "string", format: "date-time" } },
};
const wanted = { type: "object", properties: { status: text }, required: ["status"] };
const rows = { 200: { type: "array", items: row } };
const list = { querystring: wanted, response: rows };
const search = { body: wanted, response: rows };
const create = {
  body: {
    type: "object",
    properties: { title, description, status: text },
    required: ["title", "status"],
    additionalProperties: false,
  },
  response: { 200: row },
};

// An id is a bigint in the table, which the driver would leave as text.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

async function database(app, { connectionString, connections }) {
  await app.register(postgres, { connectionString, max: connections });
  const read = async (status) => (await app.pg.query({ ...READ, values: [status] })).rows;
  app.get("/db/tasks", { schema: list }, async (request) => read(request.query.status));
  app.post("/db/tasks/search", { schema: search }, async (request) => read(request.body.status));
  app.post("/db/tasks", { schema: create }, async (request) => {
    const { title, description, status } = request.body;
    return (await app.pg.query({ ...WRITE, values: [title, description, status] })).rows[0];
  });
}

export async function build({ connectionString, connections }) {
  const app = fastify();
  // As shipped, Fastify turns the "3" of a body into a 3 and takes fields out that it does not know; both are to be refused.
  const strict = formats.default(new Ajv({ useDefaults: true }));
  const lenient = formats.default(new Ajv({ useDefaults: true, coerceTypes: true }));
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === "body" ? strict : lenient).compile(schema));

  await app.register(swagger, { openapi: { info: { title: "tasks", version: "1.0.0" } } });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  app.get("/_health/live", { schema: health }, async () => ({ status: "ok" }));
  app.get("/items/:id", { schema: item }, async (request) => {
    const { limit, q } = request.query;
    return { id: request.params.id, tenant: request.headers["x-tenant"] ?? null, limit, q: q ?? null };
  });
  app.post("/tasks", { schema: task }, async (request) => {
    const { title, description, priority, tags, assigneeId } = request.body;
    return {
      id: ID,
      title,
      description: description ?? null,
      priority,
      tags,
      assigneeId,
      status: "open",
      createdAt: CREATED_AT,
    };
  });
  if (connectionString) await app.register(database, { connectionString, connections });
  return app;
}
