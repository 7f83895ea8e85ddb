// The endpoints on Elysia, with its types of what comes in.
import { openapi } from "@elysiajs/openapi";
import { SQL } from "bun";
import { Elysia, t } from "elysia";

const ID = "0192f0c1-2a3b-7c4d-8e5f-60718293a4b5";
const CREATED_AT = "2026-01-01T00:00:00Z";

// A number of JavaScript has 53 bits: an id that would be rounded is refused.
const item = {
  params: t.Object({ id: t.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }) }),
  query: t.Object({
    limit: t.Integer({ minimum: 1, maximum: 100, default: 20 }),
    q: t.Optional(t.String({ maxLength: 100 })),
  }),
  headers: t.Object({ "x-tenant": t.Optional(t.String()) }),
};

const title = t.String({ minLength: 1, maxLength: 200 });
const description = t.Optional(t.Nullable(t.String({ maxLength: 2000 })));

const task = {
  body: t.Object(
    {
      title,
      description,
      // `t.Integer` would take a "3" for a 3, which is meant for what comes in by the path.
      priority: t.Number({ minimum: 1, maximum: 5, multipleOf: 1 }),
      tags: t.Array(t.String(), { maxItems: 10 }),
      assigneeId: t.String({ format: "uuid" }),
    },
    { additionalProperties: false },
  ),
};

const list = { query: t.Object({ status: t.String() }) };
const search = { body: t.Object({ status: t.String() }, { additionalProperties: true }) };
const create = { body: t.Object({ title, description, status: t.String() }, { additionalProperties: false }) };

function database(url: string, connections: number) {
  const sql = new SQL(url, { max: connections });
  const read = (status: string) =>
    sql`SELECT id, title, description, status, created_at FROM bench_tasks WHERE status = ${status} ORDER BY created_at DESC LIMIT 10`;
  return new Elysia({ normalize: false })
    .get("/db/tasks", async ({ query }) => Array.from(await read(query.status), counted), list)
    .post("/db/tasks/search", async ({ body }) => Array.from(await read(body.status), counted), search)
    .post(
      "/db/tasks",
      async ({ body: { title, description, status } }) => {
        const [row] =
          await sql`INSERT INTO bench_tasks (title, description, status) VALUES (${title}, ${description ?? null}, ${status}) RETURNING id, title, description, status, created_at`;
        return counted(row);
      },
      create,
    );
}

// An id is a bigint in the table, which the driver leaves as text.
function counted(row: { id: string }) {
  return { ...row, id: Number(row.id) };
}

export function build({ url, connections }: { url?: string; connections: number }) {
  // As shipped, Elysia takes fields out that it does not know; they are to be refused.
  const app = new Elysia({ normalize: false })
    .use(openapi({ path: "/docs", specPath: "/openapi.json", documentation: { info: { title: "tasks", version: "1.0.0" } } }))
    .get("/_health/live", () => ({ status: "ok" }))
    .get(
      "/items/:id",
      ({ params: { id }, query: { limit, q }, headers }) => ({ id, tenant: headers["x-tenant"] ?? null, limit, q: q ?? null }),
      item,
    )
    .post(
      "/tasks",
      ({ body: { title, description, priority, tags, assigneeId } }) => ({
        id: ID,
        title,
        description: description ?? null,
        priority,
        tags,
        assigneeId,
        status: "open",
        createdAt: CREATED_AT,
      }),
      task,
    );
  return url ? app.use(database(url, connections)) : app;
}
