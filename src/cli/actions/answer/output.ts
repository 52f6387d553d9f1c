import { type Answer, AnswerBuilder } from "../../../domain/job/answer.ts";
import { type AnswerDelta, LineSplitter, parseDelta } from "../../../domain/job/deltas.ts";
import type { ChunkEvent } from "../../../wire/job-events.ts";

/** Puts the chunks of a job together: its output as it was signed, and the answer that it means. */
export class JobOutput {
  readonly #parts: string[] = [];
  readonly #lines = new LineSplitter();
  readonly #builder = new AnswerBuilder();
  #isDeltas = false;

  /** Takes the next chunk; returns what it adds. @throws AppError PROTOCOL_VIOLATION for lines that are no deltas */
  add({ text, format }: ChunkEvent): readonly AnswerDelta[] {
    this.#parts.push(text);
    this.#isDeltas ||= format === "deltas";
    const deltas = this.#isDeltas ? this.#lines.push(text).map(parseDelta) : [{ text }];
    for (const delta of deltas) this.#builder.add(delta);
    return deltas;
  }

  get isDeltas(): boolean {
    return this.#isDeltas;
  }

  /** The bytes that receipts cover, as text. */
  get raw(): string {
    return this.#parts.join("");
  }

  get answer(): Answer {
    return this.#builder.answer;
  }

  /** The text of the first choice. */
  get text(): string {
    return this.answer.choices[0]?.text ?? "";
  }
}
