import { MAX_BATCH_LINE_BYTES } from "../../../wire/openai/batches.ts";

/** A line of a file. */
export interface FileLine {
  /** From 1 on. */
  readonly number: number;
  /** Where its own bytes lie. */
  readonly start: number;
  readonly end: number;
  /** Undefined: it is longer than a line may be. */
  readonly bytes: Uint8Array | undefined;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Cuts a file into its lines, whatever pieces it comes in; at most one line is in memory. Of a line that is too long
 * nothing is kept. Lines end with LF or CR LF, the last one also with the file.
 */
export async function* readLines(
  parts: AsyncIterable<Uint8Array>,
  maxBytes = MAX_BATCH_LINE_BYTES,
): AsyncGenerator<FileLine, void, void> {
  let number = 1;
  let start = 0;
  let at = 0;
  let kept: Uint8Array[] = [];
  let length = 0;
  const keep = (part: Uint8Array): void => {
    length += part.length;
    if (length > maxBytes) kept = [];
    // A copy: its source may be reused, and holds more than this line.
    else if (part.length > 0) kept.push(Uint8Array.from(part));
  };
  const cut = (): FileLine => {
    const whole = length > maxBytes ? undefined : Buffer.concat(kept);
    const before = whole && number === 1 && hasMark(whole) ? BYTE_ORDER_MARK.length : 0;
    const bytes = whole?.subarray(before, whole.at(-1) === RETURN ? -1 : undefined);
    const from = start + before;
    const line = { number, start: from, end: from + (bytes?.length ?? length), bytes };
    number++;
    start += length + 1;
    kept = [];
    length = 0;
    return line;
  };
  for await (const part of parts) {
    let from = 0;
    for (let to = part.indexOf(NEWLINE); to !== -1; to = part.indexOf(NEWLINE, from)) {
      keep(part.subarray(from, to));
      yield cut();
      from = to + 1;
    }
    keep(part.subarray(from));
    at += part.length;
  }
  if (start < at) yield cut();
}

/** Some editors begin a file with this mark. */
function hasMark(bytes: Uint8Array): boolean {
  return BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte);
}
