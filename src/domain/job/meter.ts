/**
 * Meters: how much work a text is, in units. The coordinator meters; a meter is named in the terms, so that
 * anyone who has request and output can count again.
 */
import { utf8Length } from "../../crypto/bytes.ts";
import { type Canonicalizable, canonicalize } from "../../crypto/canonical-json.ts";
import { AppError } from "../../kernel/errors.ts";

/** Counts a text that comes in parts. No part may end inside a character. */
export interface UnitCounter {
  add(text: string): void;
  /** Units of everything added so far. */
  readonly units: number;
  /** Whether an answer may end here; absent: anywhere. */
  readonly whole?: boolean;
}

export interface Meter {
  /** Name in terms and receipts. */
  readonly name: string;
  /** Counts the texts of the request, where the answer is not just text. */
  readonly request?: Meter;
  /** Begins a count at the start of a text. */
  counter(): UnitCounter;
}

/** A meter that needs to know no more of a text than its length. */
export interface BytesMeter extends Meter {
  /** Units of a text of so many bytes of UTF-8. @throws AppError INVALID_ARGUMENT */
  units(bytes: number): number;
}

/** Bytes of one unit: English text and code take about four bytes a token. */
const BYTES_PER_UNIT = 4;

/** The meter for every job whose tokenizer the coordinator does not have: one unit for four bytes begun. */
export const BYTES_METER: BytesMeter = {
  name: "bytes/4",
  units(bytes) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new AppError("INVALID_ARGUMENT", `bytes: must be a whole number ≥ 0, is ${bytes}`);
    }
    return Math.ceil(bytes / BYTES_PER_UNIT);
  },
  counter: () => new ByteCounter(),
};

class ByteCounter implements UnitCounter {
  #bytes = 0;

  add(text: string): void {
    this.#bytes += utf8Length(text);
  }

  get units(): number {
    return BYTES_METER.units(this.#bytes);
  }
}

/**
 * Counts a segment: the meter of the job's text to its end less the meter of the text to its start, never
 * negative. Where a meter joins what stands left and right of the seam, that is less than the segment's own text
 * would be.
 */
export class SegmentCounter {
  readonly #counter: UnitCounter;
  readonly #start: number;

  /** @param prefix the job's text before the segment */
  constructor(meter: Meter, prefix: string) {
    this.#counter = meter.counter();
    this.#counter.add(prefix);
    this.#start = this.#counter.units;
  }

  add(text: string): void {
    this.#counter.add(text);
  }

  /** Units of the segment so far. */
  get units(): number {
    return Math.max(0, this.#counter.units - this.#start);
  }

  /** Whether an answer may end here. */
  get whole(): boolean {
    return this.#counter.whole ?? true;
  }
}

/** Units of the segment `text` that follows `prefix`. */
export function segmentUnits(meter: Meter, prefix: string, text: string): number {
  const counter = new SegmentCounter(meter, prefix);
  counter.add(text);
  return counter.units;
}

/** A part of a message: text, or an image. */
type MeteredPart = { readonly type: "text"; readonly text: string } | { readonly type: "image" };

interface MeteredMessage {
  readonly content: string | readonly MeteredPart[];
  readonly tool_calls?: readonly { readonly name: string; readonly arguments: string }[] | undefined;
}

/** What of a request a model reads. Other members do not count. */
export interface MeteredRequest {
  readonly prompt?: string | undefined;
  readonly system?: string | undefined;
  readonly messages?: readonly MeteredMessage[] | undefined;
  readonly tools?: readonly Canonicalizable[] | undefined;
  readonly input?: readonly string[] | undefined;
}

/** Units of an image, whatever its size: what common vision encoders make of one picture (24 × 24 patches). */
export const IMAGE_UNITS = 576;

/**
 * Units of a request: the meter of all its texts one after the other (system, prompt, messages with their calls,
 * tools as canonical JSON, inputs), and a fixed number for each image.
 */
export function promptUnits(meter: Meter, request: MeteredRequest): number {
  const counter = (meter.request ?? meter).counter();
  let images = 0;
  counter.add(request.system ?? "");
  counter.add(request.prompt ?? "");
  for (const { content, tool_calls = [] } of request.messages ?? []) {
    for (const part of typeof content === "string" ? [{ type: "text", text: content } as const] : content) {
      if (part.type === "text") counter.add(part.text);
      else images++;
    }
    for (const call of tool_calls) counter.add(call.name + call.arguments);
  }
  if (request.tools && request.tools.length > 0) counter.add(canonicalize(request.tools));
  for (const text of request.input ?? []) counter.add(text);
  return counter.units + images * IMAGE_UNITS;
}
