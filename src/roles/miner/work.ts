import { answerFormat } from "../../domain/job/answer.ts";
import { formatDelta } from "../../domain/job/deltas.ts";
import type { Meter } from "../../domain/job/meter.ts";
import { AppError } from "../../kernel/errors.ts";
import type { InferencePayload } from "../../wire/jobs.ts";
import type { Offer } from "../../wire/session.ts";
import { embedRequest, engineRequest, type Images } from "./engine-request.ts";
import type { Engine, EnginePiece, EngineRequest, EngineResult, RunOptions } from "./engines/engine.ts";

/** How an offer is worked on: takes the output as text, whatever the answer is made of. */
export interface WorkOptions extends Omit<RunOptions, "onChunk"> {
  readonly meter: Meter;
  readonly images: Images;
  readonly onText: (text: string) => void | Promise<void>;
}

const MAX_SEED = 2 ** 32 - 1;

/** Runs an offer on an engine and writes the answer in its format. @throws what `Engine.run` throws */
export function work(engine: Engine, offer: Offer, options: WorkOptions): Promise<EngineResult> {
  const { payload } = offer;
  const { meter, images, onText, ...rest } = options;
  if (payload.type === "embedding") {
    if (!engine.embed) throw new AppError("UNSUPPORTED_FEATURE", `${engine.name} makes no vectors`);
    return engine.embed(embedRequest(offer, payload), { ...rest, onChunk: (piece) => onText(toLine(piece)) });
  }
  const request = engineRequest(offer, payload, meter, images);
  if (answerFormat(payload) === "text") {
    return engine.run(request, { ...rest, onChunk: (piece) => writeText(piece, onText) });
  }
  return runChoices(engine, request, payload, { ...rest, onText });
}

/** Runs the choices one after the other: each would take a slot, and the job has one. */
async function runChoices(
  engine: Engine,
  request: EngineRequest,
  { n = 1, seed }: InferencePayload,
  { onText, ...options }: Omit<WorkOptions, "meter" | "images">,
): Promise<EngineResult> {
  let total: EngineResult | undefined;
  for (let choice = 0; choice < n; choice++) {
    const place = n === 1 ? {} : { choice };
    // Each choice has its own chance, and the same seed gives the same choices again.
    const own = seed === undefined ? {} : { seed: (seed + choice) % (MAX_SEED + 1) };
    const result = await engine.run(
      { ...request, ...own },
      { ...options, onChunk: (piece) => onText(toLine(piece, place)) },
    );
    await onText(formatDelta({ ...place, finish_reason: result.finish_reason }));
    total = total
      ? { ...total, completion_tokens: total.completion_tokens + result.completion_tokens }
      : result;
  }
  if (!total) throw new AppError("INVALID_PAYLOAD", "n: must be at least 1");
  return total;
}

function toLine(piece: EnginePiece, place: { readonly choice?: number } = {}): string {
  return formatDelta({ ...(typeof piece === "string" ? { text: piece } : piece), ...place });
}

/** Of an answer that is text alone, only the text is written: thoughts that nobody asked for stay untold. */
function writeText(piece: EnginePiece, onText: (text: string) => void | Promise<void>): void | Promise<void> {
  const text = typeof piece === "string" ? piece : (piece.text ?? "");
  return text === "" ? undefined : onText(text);
}
