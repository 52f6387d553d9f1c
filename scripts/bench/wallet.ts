/**
 * Measures the wallet: signatures a second, the time of an unlock, and how long an unlock holds up everything else.
 * README.md says what each number means and what was measured.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { describeMachine } from "./queue/machine.ts";
import { isMet, type Plan, type Result, toTable } from "./queue/result.ts";
import { type Place, withPlace } from "./wallet/place.ts";
import { measureSignatures } from "./wallet/signatures.ts";
import { measureUnlocks } from "./wallet/unlock.ts";

const SECTIONS: Readonly<Record<string, (plan: Plan, place: Place) => Promise<Result[]>>> = {
  sign: measureSignatures,
  unlock: measureUnlocks,
};

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    runs: { type: "string", default: "3" },
    only: { type: "string", default: Object.keys(SECTIONS).join(",") },
    json: { type: "boolean", default: false },
  },
});
const plan: Plan = { seconds: Number(values.seconds), runs: Number(values.runs) };
const names = values.only.split(",");
if (!(plan.seconds > 0 && plan.runs >= 1) || names.some((name) => !(name in SECTIONS))) {
  console.error(`wallet: --seconds and --runs are positive, --only is of ${Object.keys(SECTIONS).join(",")}`);
  process.exit(2);
}

// An interrupt ends this process through its exit listeners: children and directories go with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const machine = await describeMachine();
console.error(machine);
const results = await withPlace(async (place) => {
  const measured: Result[] = [];
  for (const name of names) {
    console.error(`measuring ${name} …`);
    measured.push(...((await SECTIONS[name]?.(plan, place)) ?? []));
  }
  return measured;
});
const load = loadavg()[0]?.toFixed(1);
if (values.json) console.log(JSON.stringify({ machine, load_after: load, ...plan, results }));
else console.log(`${machine}, after ${load}\n\n${toTable(results)}`);
process.exitCode = results.some((result) => isMet(result) === false) ? 1 : 0;
