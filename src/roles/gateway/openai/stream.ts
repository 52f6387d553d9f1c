import type { AnswerDelta } from "../../../domain/job/deltas.ts";
import { toFailure } from "../../../kernel/http/problem.ts";
import type { QueueView } from "../../../wire/jobs.ts";
import type { Extension } from "../../../wire/openai/common.ts";
import { toOpenAiError } from "../../../wire/openai/errors.ts";
import type { AnswerEnd, AnswerPart, OpenAnswer } from "../answers.ts";
import { type Head, type StreamShape, toEndExtension, toOpenAiUsage } from "./shape.ts";

export interface StreamOptions {
  readonly head: Head;
  readonly shape: StreamShape;
  readonly includesUsage: boolean;
  readonly requestId: string;
  /** Takes an error that is not the caller's to know. */
  readonly onError: (error: unknown) => void;
}

const DONE = "data: [DONE]\n\n";
/** Stands for a text where a chunk is made once for all texts: nobody's model or id, since it is not printable. */
const MARK = "\u0000text\u0000";
const KEEP_ALIVE = ": keep-alive\n\n";

/** Writes an answer as the server-sent events that OpenAI's clients read. */
export async function* writeStream(
  answer: OpenAnswer,
  options: StreamOptions,
): AsyncGenerator<string, void, void> {
  const writer = new StreamWriter(answer.jobId, options);
  try {
    for await (const part of answer.parts) yield* writer.write(part);
  } catch (error) {
    options.onError(error);
    yield writer.fail(error);
  }
}

class StreamWriter {
  readonly #options: StreamOptions;
  readonly #opened = new Set<number>();
  readonly #plain = new Map<number, readonly string[]>();
  /** What the next chunk tells beside OpenAI's members. */
  #extension: Extension | undefined;
  /** The end of a choice: it waits for the end of the job, which may be its own, and is told with it. */
  #closing: object | undefined;

  constructor(jobId: string, options: StreamOptions) {
    this.#options = options;
    this.#extension = { job_id: jobId, miner_id: null };
  }

  *write(part: AnswerPart): Generator<string, void, void> {
    switch (part.type) {
      case "waiting":
        yield toComment(part.queue);
        return;
      case "alive":
        yield KEEP_ALIVE;
        return;
      case "segment": {
        const { miner_id, isSeam } = part;
        this.#extension = { ...this.#extension, miner_id, ...(isSeam && { seam: true }) };
        return;
      }
      case "delta": {
        const { choice = 0, finish_reason } = part.delta;
        yield* this.#flush();
        yield* this.#open(choice);
        const added = this.#added(choice, part.delta, part.seq);
        if (added !== undefined) yield added;
        if (finish_reason) this.#closing = this.#options.shape.close(choice, finish_reason);
        return;
      }
      case "end":
        yield* this.#end(part);
    }
  }

  /** An error inside a stream: the status has been sent. */
  fail(error: unknown): string {
    return `data: ${JSON.stringify(toOpenAiError(toFailure(error, this.#options.requestId)))}\n\n`;
  }

  *#end(end: AnswerEnd): Generator<string, void, void> {
    if (end.error) {
      yield this.fail(end.error);
      return;
    }
    const { includesUsage } = this.#options;
    const extension = { ...this.#extension, ...toEndExtension(end) };
    if (!includesUsage) this.#extension = extension;
    yield* this.#flush();
    if (includesUsage) {
      this.#extension = extension;
      yield this.#chunk([], undefined, { usage: end.usage && toOpenAiUsage(end.usage) });
    }
    yield DONE;
  }

  *#open(choice: number): Generator<string, void, void> {
    if (this.#opened.has(choice)) return;
    this.#opened.add(choice);
    const opening = this.#options.shape.open(choice);
    if (opening) yield this.#chunk([opening], undefined);
  }

  *#flush(): Generator<string, void, void> {
    if (!this.#closing) return;
    const closing = this.#closing;
    this.#closing = undefined;
    yield this.#chunk([closing], undefined);
  }

  /** The chunk that a delta adds; undefined: it says nothing that this API could tell. */
  #added(choice: number, delta: AnswerDelta, seq: number | undefined): string | undefined {
    const { shape } = this.#options;
    const isPlain = shape.isPure && this.#extension === undefined && isTextAlone(delta);
    if (isPlain) return toEvent(seq, this.#plainChunk(choice).join(JSON.stringify(delta.text)));
    const added = shape.add(choice, delta);
    return added && this.#chunk([added], seq);
  }

  /** What stands before and after the text in the chunks of a choice that add text alone, most of all chunks. */
  #plainChunk(choice: number): readonly string[] {
    let parts = this.#plain.get(choice);
    if (!parts) {
      const { shape } = this.#options;
      parts = this.#document([shape.add(choice, { text: MARK }) ?? {}]).split(JSON.stringify(MARK));
      this.#plain.set(choice, parts);
    }
    return parts;
  }

  #chunk(choices: readonly object[], seq: number | undefined, rest: object = {}): string {
    const aitbc = this.#extension;
    this.#extension = undefined;
    return toEvent(seq, this.#document(choices, { ...rest, ...(aitbc && { aitbc }) }));
  }

  #document(choices: readonly object[], rest: object = {}): string {
    const { head, includesUsage } = this.#options;
    return JSON.stringify({ ...head, choices, ...(includesUsage && { usage: null }), ...rest });
  }
}

function toEvent(seq: number | undefined, data: string): string {
  return seq === undefined ? `data: ${data}\n\n` : `id: ${seq}\ndata: ${data}\n\n`;
}

/** Whether a delta has a text, and nothing else but its choice. */
function isTextAlone(delta: AnswerDelta): boolean {
  const members = Object.keys(delta).length;
  return delta.text !== undefined && members === (delta.choice === undefined ? 1 : 2);
}

/** Tells a waiting caller where its job stands, in a comment, which clients skip and people read. */
function toComment(queue: QueueView | undefined): string {
  if (!queue) return ": queued\n\n";
  const { position, reason, position_is_lower_bound: isBound, ...rest } = queue;
  const facts = Object.entries(rest).flatMap(([name, value]) =>
    typeof value === "number" ? [`${name} ${value}`] : [],
  );
  const text = [`queued, position ${position}${isBound ? " or later" : ""}`, ...facts, reason].join(", ");
  return `: ${text.replaceAll(/[\r\n]+/g, " ")}\n\n`;
}
