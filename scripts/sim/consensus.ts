/**
 * Plays seeds of the simulated chain (test/sim): validators over a network that loses, delays, splits and lies in
 * wait, with crashes and a faulty one among them. README.md says what must hold.
 */
import { parseArgs } from "node:util";
import { type Outcome, simulate } from "../../test/sim/simulate.ts";

/** One seed in so many is played twice, and must be the same twice. */
const REPLAY_EVERY = 50;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    /** The first seed. */
    from: { type: "string", default: "1" },
    /** Prints everything that happens in the first seed, and plays no other. */
    trace: { type: "boolean", default: false },
  },
});
const from = Number(values.from);
const count = values.trace ? 1 : Number(values.seeds);
if (![from, count].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  console.error("consensus: --seeds and --from are whole numbers");
  process.exit(2);
}

const totals = { blocks: 0, offences: 0, faulty: 0, real: 0, slowestMs: 0 };

function add(outcome: Outcome): void {
  const { scenario } = outcome;
  totals.blocks += outcome.height;
  totals.offences += outcome.offences;
  totals.faulty += scenario.faulty === null ? 0 : 1;
  totals.real += scenario.real ? 1 : 0;
  totals.slowestMs = Math.max(totals.slowestMs, outcome.recoveryMs);
}

/** What must not be in this seed; empty when all is well. */
function play(seed: number): readonly string[] {
  try {
    const outcome = simulate(seed, values.trace);
    for (const line of outcome.lines) console.log(line);
    add(outcome);
    const isSame = seed % REPLAY_EVERY !== 0 || simulate(seed).traceHash === outcome.traceHash;
    return isSame ? outcome.findings : [...outcome.findings, "the same seed did not play the same twice"];
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
}

/** Plays all seeds up to the first with a finding; whether there was none. */
function playAll(): boolean {
  for (let seed = from; seed < from + count; seed++) {
    const findings = play(seed);
    if (findings.length === 0) continue;
    for (const finding of findings) console.error(`✗ ${finding}`);
    console.error(`consensus: found in seed ${seed}; again with: --from ${seed} --trace`);
    return false;
  }
  return true;
}

const startedAt = performance.now();
if (playAll()) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `consensus: ${count} seeds from ${from}, ${totals.blocks} blocks, no fork; ${totals.faulty} seeds with a faulty ` +
      `validator, ${totals.offences} offences proven; ${totals.real} with real signatures; ` +
      `slowest recovery ${totals.slowestMs} ms (${seconds} s)`,
  );
} else process.exitCode = 1;
