import { engineInputs } from "../../../app/native.ts";
import type { Config } from "../../../config/schema.ts";
import { createLog } from "../../../kernel/log.ts";
import { createEngines, type Engine, probeGpus } from "../../../roles/miner/index.ts";
import { type Check, type Finding, failWith, info, ok, warn } from "./check.ts";
import { formatMs } from "./units.ts";

/** The engine that is run, not only asked: its model is tiny, and every machine must be able to run it. */
const BUILTIN = "builtin";
const MEND = "aitbc config explain shows miner.engine and what belongs to it";
/** Longest run of the built-in model, in ms; it takes a tenth of a second. */
const RUN_MS = 10_000;

/**
 * Whether the engines of the miner can run: the built-in model answers from a child process, as for a job; the
 * others say whether they could.
 */
export function checkEngines(config: Config, chooseCache: () => string): Check {
  return {
    name: "engines",
    async run(signal) {
      const cacheDir = chooseCache();
      const inputs = engineInputs(cacheDir);
      const log = createLog({ level: "silent", format: "json", terminal: false });
      let engines: readonly Engine[] = [];
      try {
        engines = await createEngines({ config: config.miner, inputs, probeGpus, log });
        const findings = await Promise.all(engines.map((engine) => examine(engine, signal)));
        return withRoles(worst(findings), config);
      } catch (error) {
        // A GPU or a runtime that was asked for is missing: no engine is made then.
        return withRoles(failWith(error, MEND), config);
      } finally {
        await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
      }
    },
  };
}

async function examine(engine: Engine, signal: AbortSignal): Promise<Finding> {
  try {
    const probe = await engine.probe();
    if (!probe.available) {
      const found = `${engine.name}: ${probe.reason}`;
      return engine.optional ? info(found) : warn(found, MEND);
    }
    if (engine.name !== BUILTIN) return ok(`${engine.name}: ${probe.version}`);
    const ms = await runOnce(engine, signal);
    return ok(`${BUILTIN}: ${probe.version} loads and answers in ${formatMs(ms)}`);
  } catch (error) {
    const finding = failWith(error, MEND);
    return { ...finding, found: `${engine.name}: ${finding.found}` };
  }
}

/** Runs one short job and returns how long it took, the start of the child process included, in ms. */
async function runOnce(engine: Engine, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now();
  const [model] = await engine.models();
  await engine.run(
    {
      model: model?.name ?? "",
      messages: [{ role: "user", content: "What is 37 + 45?" }],
      prefix: "",
      max_tokens: 1,
      temperature: 0,
    },
    { signal, onChunk: () => {}, deadlineMs: RUN_MS },
  );
  return performance.now() - startedAt;
}

const SEVERITY = ["info", "ok", "warn", "fail"] as const;

/** All findings as one: the worst status counts, and everything that was found is told. */
function worst(findings: readonly Finding[]): Finding {
  const [first = info("no engine is configured"), ...others] = findings.toSorted(
    (a, b) => SEVERITY.indexOf(b.status) - SEVERITY.indexOf(a.status),
  );
  return { ...first, found: [first, ...others].map(({ found }) => found).join("; ") };
}

/** Engines matter to whoever runs a miner; to others their failure is a warning. */
function withRoles(finding: Finding, config: Config): Finding {
  if (finding.status !== "fail" || config.roles.includes("miner")) return finding;
  return warn(`${finding.found} (no miner is configured here)`, finding.mend ?? "");
}
