/**
 * Runs random operations through the ledger and its naive twin: `node scripts/sim/ledger.ts [--operations 1000000]
 * [--seed 1] [--json]`. Codes, roots and money are compared after every block. Exit code 1 at the first difference.
 */
import { parseArgs } from "node:util";
import { replay } from "../../test/harness/ledger-replay.ts";

/** Operations of one chain: the twin keeps every height, so a long life is run as many short ones. */
const PER_CHAIN = 10_000;

const { values } = parseArgs({
  options: {
    operations: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const operations = Number(values.operations);
const first = Number(values.seed);
if (!Number.isSafeInteger(operations) || operations < 1 || !Number.isSafeInteger(first)) {
  console.error("ledger: --operations and --seed are whole numbers");
  process.exit(2);
}

const heads: string[] = [];
const codes = new Map<string, number>();
let done = 0;
let blocks = 0;
for (let seed = first; done < operations; seed++) {
  const report = replay({ seed, operations: Math.min(PER_CHAIN, operations - done) });
  done += report.operations;
  blocks += report.blocks;
  heads.push(report.head.hash);
  for (const [code, count] of report.codes) codes.set(code, (codes.get(code) ?? 0) + count);
  if (report.problem) {
    console.error(`seed ${seed}, ${report.problem}`);
    process.exit(1);
  }
}
if (values.json) console.log(JSON.stringify({ operations: done, blocks, heads }));
else {
  const counts = [...codes].sort(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`);
  console.log(`${done} operations in ${blocks} blocks of ${heads.length} chains: ${counts.join(", ")}`);
  console.log("money is conserved, no amount is negative, codes and roots equal the twin's");
}
