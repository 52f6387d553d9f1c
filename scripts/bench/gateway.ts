/**
 * Measures what the gateway adds to an engine, beside another gateway in the same run, and what one daemon streams.
 * README.md says what each number means and what was measured.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { measureCancels } from "./gateway/cancel.ts";
import { measureChunks, measureOpenStreams } from "./gateway/daemon.ts";
import { type Finding, isMet, type Plan, toTable } from "./gateway/finding.ts";
import { measureLatency } from "./gateway/latency.ts";
import { describeMachine } from "./queue/machine.ts";

const SECTIONS: Readonly<Record<string, (plan: Plan) => Promise<Finding[]>>> = {
  latency: measureLatency,
  chunks: measureChunks,
  memory: measureOpenStreams,
  cancel: measureCancels,
};

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    streams: { type: "string", default: "1,16,64,256" },
    only: { type: "string", default: Object.keys(SECTIONS).join(",") },
    json: { type: "boolean", default: false },
  },
});
const plan: Plan = {
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  streams: values.streams.split(",").map(Number),
};
const names = values.only.split(",");
const isPlan = plan.seconds > 0 && plan.rounds >= 1 && plan.streams.every((count) => count >= 1);
if (!isPlan || names.some((name) => !(name in SECTIONS))) {
  console.error(
    `gateway: --seconds, --rounds and --streams are positive, --only is of ${Object.keys(SECTIONS).join(",")}`,
  );
  process.exit(2);
}

// An interrupt ends this process through its exit listeners: children and directories go with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const machine = await describeMachine();
console.error(machine);
const findings: Finding[] = [];
for (const name of names) {
  console.error(`measuring ${name} …`);
  findings.push(...((await SECTIONS[name]?.(plan)) ?? []));
}
const load = loadavg()[0]?.toFixed(1);
if (values.json) console.log(JSON.stringify({ machine, load_after: load, ...plan, findings }));
else console.log(`${machine}, after ${load}\n\n${toTable(findings)}`);
process.exitCode = findings.some((finding) => isMet(finding) === false) ? 1 : 0;
