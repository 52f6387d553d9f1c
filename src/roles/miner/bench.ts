import type { Clock } from "../../kernel/clock.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import type { Engine, EngineModel, EngineRequest } from "./engines/engine.ts";

/** The same for every model, so that figures compare; every model can go on with it for a while. */
const PROMPT = "Tell me a story about a fox";
/** Longest run of one model, in ms: large models take minutes to load from a slow disk. */
const RUN_MS = 10 * 60_000;
const MS_PER_SECOND = 1000;

/** What one model did here. Figures are null where it failed, or wrote too little to tell. */
export interface BenchResult {
  readonly engine: string;
  readonly model: string;
  /** From asking a model that may not be loaded to its first text. */
  readonly load_ms: number | null;
  /** The same once it is loaded. */
  readonly first_token_ms: number | null;
  readonly tokens: number | null;
  /** While it writes. */
  readonly tokens_per_second: number | null;
  readonly error: string | null;
}

export interface BenchOptions {
  /** Only the models of these names; empty means all. */
  readonly only: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Most tokens of an answer. */
  readonly tokens: number;
}

/** Measures the models of all engines, one after the other, since they share the machine. */
export async function* benchEngines(
  engines: readonly Engine[],
  options: BenchOptions,
): AsyncGenerator<BenchResult> {
  for (const engine of engines) {
    const probe = await engine.probe();
    if (!probe.available) {
      if (!engine.optional) yield failed(engine.name, "-", probe.reason);
      continue;
    }
    const writers = (await engine.models()).filter(({ features }) => features.includes("text"));
    for (const model of writers) {
      if (options.only.length > 0 && !options.only.includes(model.name)) continue;
      yield await benchModel(engine, model, options);
    }
  }
}

async function benchModel(engine: Engine, model: EngineModel, options: BenchOptions): Promise<BenchResult> {
  try {
    const cold = await measure(engine, model, 1, options);
    const warm = await measure(engine, model, options.tokens, options);
    const rate = warm.tokens > 1 && warm.writingMs > 0 ? (warm.tokens - 1) / warm.writingMs : null;
    return {
      engine: engine.name,
      model: model.name,
      load_ms: cold.firstMs,
      first_token_ms: warm.firstMs,
      tokens: warm.tokens,
      tokens_per_second: rate === null ? null : Math.round(rate * MS_PER_SECOND * 10) / 10,
      error: null,
    };
  } catch (error) {
    options.signal.throwIfAborted();
    const { code, message } = toAppError(error);
    const [reason = ""] = message.split("\n");
    return failed(engine.name, model.name, `${code}: ${reason}`);
  }
}

async function measure(
  engine: Engine,
  model: EngineModel,
  max_tokens: number,
  { clock, signal }: BenchOptions,
): Promise<{ firstMs: number; writingMs: number; tokens: number }> {
  const request: EngineRequest = {
    model: model.name,
    messages: [{ role: "user", content: PROMPT }],
    prefix: "",
    max_tokens,
    temperature: 0,
  };
  const startedAt = clock.monotonic();
  let firstAt: number | undefined;
  const onChunk = (): void => {
    firstAt ??= clock.monotonic();
  };
  const { completion_tokens } = await engine.run(request, { signal, onChunk, deadlineMs: RUN_MS });
  if (firstAt === undefined) throw new AppError("ENGINE_FAILED", "the model wrote nothing");
  return {
    firstMs: Math.round(firstAt - startedAt),
    writingMs: clock.monotonic() - firstAt,
    tokens: completion_tokens,
  };
}

function failed(engine: string, model: string, error: string): BenchResult {
  return { engine, model, load_ms: null, first_token_ms: null, tokens: null, tokens_per_second: null, error };
}
