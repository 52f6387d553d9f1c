/**
 * Meters: how much work a text is, in units. The coordinator meters; a meter is named in the terms, so that
 * anyone who has request and output can count again.
 */
import { utf8Length } from "../../crypto/bytes.ts";
import { AppError } from "../../kernel/errors.ts";

/** Counts a text that comes in parts. No part may end inside a character. */
export interface UnitCounter {
  add(text: string): void;
  /** Units of everything added so far. */
  readonly units: number;
}

export interface Meter {
  /** Name in terms and receipts. */
  readonly name: string;
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
}

/** Units of the segment `text` that follows `prefix`. */
export function segmentUnits(meter: Meter, prefix: string, text: string): number {
  const counter = new SegmentCounter(meter, prefix);
  counter.add(text);
  return counter.units;
}

/** The texts of a request that a model reads. Other members do not count. */
export interface MeteredRequest {
  readonly prompt?: string | undefined;
  readonly system?: string | undefined;
  readonly messages?: readonly { readonly content: string }[] | undefined;
}

/** Units of a request: the meter of all its texts one after the other, system, prompt, messages. */
export function promptUnits(meter: Meter, request: MeteredRequest): number {
  const counter = meter.counter();
  counter.add(request.system ?? "");
  counter.add(request.prompt ?? "");
  for (const message of request.messages ?? []) counter.add(message.content);
  return counter.units;
}
