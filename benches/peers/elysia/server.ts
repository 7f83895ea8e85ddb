// Starts as many processes as there are to be workers, which share a port.
import cluster from "node:cluster";
import { build } from "./app";

const hostname = "127.0.0.1";
const workers = Number(process.env.WORKERS || 1);

function serve(port: number) {
  const app = build({ url: process.env.DATABASE_URL, connections: Math.max(1, Math.floor(20 / workers)) });
  app.listen({ hostname, port, reusePort: workers > 1 });
  process.once("SIGTERM", () => app.stop(true).then(() => process.exit()));
  return app.server?.port;
}

// They cannot each take any free port: it has to be the same one.
function free() {
  const listener = Bun.listen({ hostname, port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

if (workers > 1 && cluster.isPrimary) {
  const port = Number(process.env.PORT || 0) || free();
  let listening = 0;
  cluster.on("message", () => {
    listening += 1;
    if (listening === workers) console.log(`listening on http://${hostname}:${port}`);
  });
  for (let n = 0; n < workers; n += 1) cluster.fork({ PORT: String(port) });
  let left = workers;
  cluster.on("exit", () => {
    left -= 1;
    if (left === 0) process.exit();
  });
  process.once("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGTERM");
  });
} else {
  const port = serve(Number(process.env.PORT || 0));
  if (cluster.isPrimary) console.log(`listening on http://${hostname}:${port}`);
  else process.send?.("listening");
}
