// Starts as many processes as there are to be workers, which share a port.
import cluster from "node:cluster";
import { build } from "./app.mjs";

const workers = Number(process.env.WORKERS || 1);

async function serve() {
  const app = await build({ connectionString: process.env.DATABASE_URL, connections: Math.max(1, Math.floor(20 / workers)) });
  const address = await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT || 0) });
  process.once("SIGTERM", () => app.close().then(() => process.exit()));
  return address;
}

if (workers > 1 && cluster.isPrimary) {
  cluster.once("listening", (_worker, { address, port }) => console.log(`listening on http://${address}:${port}`));
  for (let n = 0; n < workers; n += 1) cluster.fork();
  process.once("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGTERM");
  });
} else {
  const address = await serve();
  if (cluster.isPrimary) console.log(`listening on ${address}`);
}
