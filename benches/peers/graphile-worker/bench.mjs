// Runs no-op jobs on graphile-worker and prints one line of JSON: how many a second, or how long until one is picked up.
//
// node bench.mjs drain URL JOBS single|batched    a backlog is worked off
// node bench.mjs latency URL JOBS [PAUSE_MS]      one job after the other, to an idle worker
import { readdirSync, readFileSync } from "node:fs";
import { run, runMigrations, makeWorkerUtils } from "graphile-worker";

const [mode, connectionString, count, kind] = process.argv.slice(2);
const jobs = Number(count);
const quiet = { logger: undefined };

function preset(extra) {
  return { worker: { connectionString, schema: "graphile_worker", concurrentJobs: 24, maxPoolSize: 12, pollInterval: 2000, ...extra } };
}

const batched = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0, concurrentJobs: 24 };

async function fill(utils) {
  const each = 10000;
  for (let done = 0; done < jobs; done += each) {
    const n = Math.min(each, jobs - done);
    await utils.withPgClient((client) =>
      client.query(
        `select from graphile_worker.add_jobs(array(
           select (row('noop', json_build_object('n', n), null, null, null, null, null, null)::graphile_worker.job_spec)
           from generate_series(1, $1::int) n))`,
        [n],
      ),
    );
  }
}

// Processor time of this process and of a server on this machine in microseconds, as queue/cpu.rs counts it.
function stat(process) {
  try {
    const text = readFileSync(`/proc/${process}/stat`, "utf8");
    const [name, rest] = [text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")), text.slice(text.lastIndexOf(")") + 2)];
    const fields = rest.split(" ").map(Number);
    return { name, parent: fields[1], own: fields[11] + fields[12], past: fields[13] + fields[14] };
  } catch {
    return undefined;
  }
}

function cpuUs(server) {
  let ticks = stat("self").own + stat(server).own + stat(server).past;
  for (const process of readdirSync("/proc")) {
    const one = /^\d+$/.test(process) ? stat(process) : undefined;
    if (one?.parent === server) ticks += one.own;
  }
  return ticks * 1e4;
}

async function main() {
  const { Logger } = await import("graphile-worker");
  quiet.logger = new Logger(() => () => {});
  await runMigrations({ connectionString, ...quiet });
  const utils = await makeWorkerUtils({ connectionString, ...quiet });
  let seen = 0;
  let onSeen = () => {};
  const taskList = {
    noop: () => {
      seen += 1;
      onSeen();
    },
  };
  if (mode === "drain") {
    await fill(utils);
    await utils.withPgClient((client) => client.query("analyze"));
    const all = new Promise((resolve) => {
      onSeen = () => seen === jobs && resolve();
    });
    const session = await utils.withPgClient((client) => client.query("select pg_backend_pid() as pid"));
    const server = stat(session.rows[0].pid);
    const cpu = server?.name === "postgres" ? cpuUs(server.parent) : undefined;
    const began = process.hrtime.bigint();
    const runner = await run({ preset: preset(kind === "batched" ? batched : {}), taskList, noHandleSignals: true, ...quiet });
    await all;
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    const cpu_us = cpu === undefined ? undefined : (cpuUs(server.parent) - cpu) / jobs;
    await runner.stop();
    console.log(JSON.stringify({ jobs, kind, per_second: Math.round(jobs / seconds), cpu_us }));
  } else {
    const runner = await run({ preset: preset({}), taskList, noHandleSignals: true, ...quiet });
    const waits = [];
    for (let n = 0; n < jobs; n += 1) {
      const picked = new Promise((resolve) => (onSeen = resolve));
      const began = process.hrtime.bigint();
      await utils.addJob("noop", { n });
      await picked;
      waits.push(Number(process.hrtime.bigint() - began) / 1e6);
      if (kind) await new Promise((resolve) => setTimeout(resolve, Number(kind)));
    }
    await runner.stop();
    waits.sort((a, b) => a - b);
    const at = (share) => Number(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))].toFixed(2));
    console.log(JSON.stringify({ jobs, p50_ms: at(0.5), p99_ms: at(0.99) }));
  }
  await utils.release();
}

await main();
