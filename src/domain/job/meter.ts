/**
 * Meters: how much work a text is, in units. The coordinator meters; a meter is named in the terms, so that
 * anyone who has request and output can count again.
 */
import { utf8Length } from "../../crypto/bytes.ts";
import { AppError } from "../../kernel/errors.ts";

export interface Meter {
  /** Name in terms and receipts. */
  readonly name: string;
  /** Units of a text of so many bytes of UTF-8: never less for a longer text. */
  units(bytes: number): number;
}

/** Bytes of one unit: English text and code take about four bytes a token. */
const BYTES_PER_UNIT = 4;

/** The meter for every job whose tokenizer the coordinator does not have: one unit for four bytes begun. */
export const BYTES_METER: Meter = {
  name: "bytes/4",
  units(bytes) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new AppError("INVALID_ARGUMENT", `bytes: must be a whole number ≥ 0, is ${bytes}`);
    }
    return Math.ceil(bytes / BYTES_PER_UNIT);
  },
};

/** The meter of a name, or undefined where this program cannot count by it. */
export function meterOf(name: string): Meter | undefined {
  return name === BYTES_METER.name ? BYTES_METER : undefined;
}

/**
 * Units of a segment: the meter of the text to its end less the meter of the text to its start, so that the
 * segments of a job add up to the meter of its whole text.
 */
export function segmentUnits(meter: Meter, startByte: number, endByte: number): number {
  return Math.max(0, meter.units(endByte) - meter.units(startByte));
}

/** The texts of a request that a model reads. Other members do not count. */
export interface MeteredRequest {
  readonly prompt?: string | undefined;
  readonly system?: string | undefined;
  readonly messages?: readonly { readonly content: string }[] | undefined;
}

/** Units of a request: the meter of the bytes of all its texts together. */
export function promptUnits(meter: Meter, request: MeteredRequest): number {
  let bytes = utf8Length(request.system ?? "") + utf8Length(request.prompt ?? "");
  for (const message of request.messages ?? []) bytes += utf8Length(message.content);
  return meter.units(bytes);
}
