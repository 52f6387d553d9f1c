/**
 * Measures the queue's promises beside a baseline that commits each operation by itself. README.md says what
 * each number means and what was measured.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { measureClaim } from "./queue/claim.ts";
import { measureHttp } from "./queue/http.ts";
import { measureLifecycle } from "./queue/lifecycle.ts";
import { describeMachine } from "./queue/machine.ts";
import { measurePoll } from "./queue/poll.ts";
import { isMet, type Plan, type Result, toTable } from "./queue/result.ts";
import { measureDemos, measureStart } from "./queue/start.ts";
import { measureSubmit } from "./queue/submit.ts";

const SECTIONS: Readonly<Record<string, (plan: Plan) => Promise<Result[]>>> = {
  submit: measureSubmit,
  http: measureHttp,
  lifecycle: measureLifecycle,
  claim: measureClaim,
  poll: measurePoll,
  start: measureStart,
  demo: measureDemos,
};

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    runs: { type: "string", default: "5" },
    only: { type: "string", default: Object.keys(SECTIONS).join(",") },
    json: { type: "boolean", default: false },
  },
});
const plan: Plan = { seconds: Number(values.seconds), runs: Number(values.runs) };
const names = values.only.split(",");
const unknown = names.filter((name) => !(name in SECTIONS));
if (!(plan.seconds > 0) || !Number.isSafeInteger(plan.runs) || plan.runs < 1 || unknown.length > 0) {
  console.error(`queue: --seconds and --runs are positive, --only is of ${Object.keys(SECTIONS).join(",")}`);
  process.exit(2);
}

// An interrupt ends this process through its exit listeners: children and directories go with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const machine = await describeMachine();
console.error(machine);
const results: Result[] = [];
for (const name of names) {
  console.error(`measuring ${name} …`);
  results.push(...((await SECTIONS[name]?.(plan)) ?? []));
}
const load = loadavg()[0]?.toFixed(1);
if (values.json) console.log(JSON.stringify({ machine, load_after: load, ...plan, results }));
else console.log(`${machine}, after ${load}\n\n${toTable(results)}`);
process.exitCode = results.some((result) => isMet(result) === false) ? 1 : 0;
