// Runs no-op jobs on graphile-worker and prints one line of JSON: how many a second, or how long until one is picked up.
//
// node bench.mjs drain URL JOBS single|batched    a backlog is worked off
// node bench.mjs latency URL JOBS [PAUSE_MS]      one job after the other, to an idle worker
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
    const began = process.hrtime.bigint();
    const runner = await run({ preset: preset(kind === "batched" ? batched : {}), taskList, noHandleSignals: true, ...quiet });
    await all;
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    await runner.stop();
    console.log(JSON.stringify({ jobs, kind, per_second: Math.round(jobs / seconds) }));
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
