import { describe, expect, it } from "vitest";
import { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import { type BenchOptions, type BenchResult, benchEngines } from "./bench.ts";
import type { Engine } from "./engines/engine.ts";

const options: BenchOptions = {
  only: [],
  tokens: 40,
  clock: createSystemClock(),
  signal: new AbortController().signal,
};

async function bench(engines: readonly Engine[], more: Partial<BenchOptions> = {}): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  for await (const result of benchEngines(engines, { ...options, ...more })) results.push(result);
  return results;
}

describe("a benchmark", () => {
  it("asks each model once to load it and once to measure it", async () => {
    const engine = new PlannedEngine();
    const results = bench([engine]);
    for (const [index, tokens] of [1, 40].entries()) {
      const run = await engine.nth(index);
      expect(run.request).toMatchObject({ model: "test", max_tokens: tokens, temperature: 0 });
      await run.write("text ");
      await run.write("more");
      run.end({ completion_tokens: tokens });
    }
    const [result] = await results;
    expect(result).toMatchObject({ engine: "planned", model: "test", tokens: 40, error: null });
    expect(result?.tokens_per_second).toBeGreaterThan(0);
  });

  it("tells of a model that fails, and of one that writes nothing, and goes on", async () => {
    const [broken, silent] = [new PlannedEngine(), new PlannedEngine()];
    const results = bench([broken, silent]);
    (await broken.nth(0)).fail(new AppError("ENGINE_FAILED", "it broke\nin native code"));
    (await silent.nth(0)).end();
    expect((await results).map(({ error }) => error)).toEqual([
      "ENGINE_FAILED: it broke",
      "ENGINE_FAILED: the model wrote nothing",
    ]);
  });

  it("leaves out models that were not asked for, and engines that nobody misses", async () => {
    const reason = "not here";
    const absent = (optional: boolean): Engine =>
      Object.assign(new PlannedEngine(), { optional, probe: async () => ({ available: false, reason }) });
    expect(await bench([new PlannedEngine()], { only: ["other"] })).toEqual([]);
    expect(await bench([absent(true)])).toEqual([]);
    expect(await bench([absent(false)])).toMatchObject([{ error: reason, tokens: null }]);
  });
});
