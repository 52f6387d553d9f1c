/** Callers of the soak, in a process of their own: `node generator.ts PLAN`, a GeneratorPlan as JSON; a message ends the round. */
import { setTimeout as sleep } from "node:timers/promises";
import { Clients } from "../torture/clients.ts";
import { Findings } from "../torture/findings.ts";
import { createRandom, type Random } from "../torture/random.ts";
import { ScriptedMiner } from "../torture/scripted-miner.ts";
import type { GeneratorPlan, GeneratorReport } from "./messages.ts";

/** Submissions a second that all clients together ask for at most: below what two cores carry. */
const SUBMISSIONS_PER_SECOND = 80;
/** All clients come within this part of the time. */
const ARRIVAL = 0.25;
/** Sizes of answers, in bytes: the soak is about many callers, the torture about long answers. */
const ANSWER_BYTES = { least: 100, range: 900 };
/** How often answers grow, and how long a flaky miner keeps a connection, in ms. */
const STEP_MS = 20;
const FLAKY_MS = { least: 500, range: 5_000 };
/** Readers that leave before the end, one for so many clients, and how long each stays at most, in ms. */
const LEAVERS_ONE_IN = 10;
const STAY_MS = 200;
const MS_PER_SECOND = 1000;

/** Lets everything end that was begun; how many jobs there were. Connections end with the process. */
type Finish = () => Promise<number>;

const ready = (): Promise<void> => Promise.resolve();

function startMiners({ count, index, url, apiKey, seed }: GeneratorPlan, findings: Findings): Finish {
  const miners = Array.from(
    { length: count },
    (_, number) =>
      new ScriptedMiner({
        url,
        apiKey,
        name: `miner-${index}-${number}`,
        flaky: number % 2 === 0,
        seed: seed + number,
        findings,
        coordinatorReady: ready,
        flakyMs: FLAKY_MS,
        stepMs: STEP_MS,
      }),
  );
  for (const miner of miners) miner.start();
  return () => {
    for (const miner of miners) miner.finish();
    return Promise.resolve(0);
  };
}

/** Opens streams of jobs and goes away in the middle of them, until it is told to stop. */
async function dropIn(clients: Clients, plan: GeneratorPlan, random: Random, stop: AbortSignal) {
  const headers = { "x-api-key": plan.apiKey };
  while (!stop.aborted) {
    const job = clients.jobs[random.below(clients.jobs.length)];
    await sleep(random.below(STAY_MS));
    if (!job?.jobId) continue;
    const signal = AbortSignal.timeout(1 + random.below(STAY_MS));
    const path = random.once(2) ? `/v1/jobs/${job.jobId}` : `/v1/jobs/${job.jobId}/events`;
    await fetch(plan.url + path, { headers, signal })
      .then((response) => response.text())
      .catch(() => undefined);
  }
}

function startClients(plan: GeneratorPlan, findings: Findings): Finish {
  const { count, index, url, apiKey, seed, allClients, round, ms } = plan;
  const random = createRandom(seed + round);
  const stop = new AbortController();
  // Twice the mean: think times are spread evenly from 0.
  const thinkMs = (2 * allClients * MS_PER_SECOND) / SUBMISSIONS_PER_SECOND;
  let arriving = count;
  const clients = new Clients({
    url,
    apiKey,
    seed: seed + round,
    findings,
    daemonReady: ready,
    onText: () => {},
    name: `soak-${index}-${round}`,
    fastBytes: ANSWER_BYTES,
    think: () => {
      const most = arriving-- > 0 ? ms * ARRIVAL : thinkMs;
      return sleep(random.below(Math.ceil(most)), undefined, { signal: stop.signal }).catch(() => undefined);
    },
  });
  clients.start({ fast: count, slow: 0, builtin: 0 });
  const leavers = Array.from({ length: Math.ceil(count / LEAVERS_ONE_IN) }, (_, number) =>
    dropIn(clients, plan, createRandom(seed + round + number), stop.signal),
  );
  return async () => {
    clients.finish();
    stop.abort();
    await Promise.all([clients.done(), ...leavers]);
    for (const { readers, jobId, key } of clients.jobs) {
      const hasEnded = jobId !== "" && readers.every(({ end }) => end !== undefined);
      findings.expect(hasEnded, `job ${jobId || key} did not end`);
    }
    return clients.jobs.length;
  };
}

// The text is written by the soak.
const plan = JSON.parse(process.argv[2] ?? "") as GeneratorPlan;
const findings = new Findings();
const finish = plan.callers === "miners" ? startMiners(plan, findings) : startClients(plan, findings);

process.on("message", () => {
  void finish().then((jobs) => {
    const report: GeneratorReport = { jobs, findings: findings.lines() };
    process.send?.(report);
  });
});
process.on("SIGTERM", () => process.exit(0));
// The soak has gone.
process.on("disconnect", () => process.exit(1));
