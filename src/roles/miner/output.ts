/** Room for the first text, in bytes; it doubles as the text grows. */
const FIRST_ROOM_BYTES = 4096;

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** The last place at or before `end` where no UTF-8 sequence is cut (RFC 3629 §3). */
function characterBoundary(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isContinuation(bytes[at])) at--;
  return at;
}

/**
 * The text that one lease delivers, as UTF-8, addressed by offsets into the job's whole output. It is kept
 * until the job is over, because a new connection may ask for any part of it again.
 */
export class Output {
  readonly #start: number;
  readonly #limit: number;
  #bytes = Buffer.alloc(FIRST_ROOM_BYTES);
  #length = 0;
  /** Where pieces of the engine end, ascending, in this lease's text. */
  readonly #ends: number[] = [];
  #held = "";
  #full = false;

  /** @param start first byte of this lease's text @param limit bytes that the whole output may have */
  constructor(start: number, limit: number) {
    this.#start = start;
    this.#limit = limit;
  }

  /** One past the last byte, as an offset into the job's output. */
  get end(): number {
    return this.#start + this.#length;
  }

  /** Whether text was cut off at the limit. */
  get full(): boolean {
    return this.#full;
  }

  /**
   * Takes text from the engine. Half a surrogate pair waits for its other half; what passes the limit is cut
   * at the last whole character, and nothing is taken after that.
   */
  append(text: string): void {
    if (this.#full) return;
    const whole = this.#held + text;
    const last = whole.length - 1;
    const split = last >= 0 && isHighSurrogate(whole.charCodeAt(last)) ? last : whole.length;
    this.#held = whole.slice(split);
    this.#store(whole.slice(0, split));
  }

  /** No more text comes: half a pair that still waits is taken as U+FFFD. */
  finish(): void {
    const rest = this.#held;
    this.#held = "";
    if (!this.#full) this.#store(rest);
  }

  /** The text from offset `from` on, at most `maxBytes` (none when it is not positive), in whole characters. */
  text(from: number, maxBytes: number): string {
    const start = from - this.#start;
    const wanted = Math.min(this.#length, start + Math.max(0, maxBytes));
    const end = wanted === this.#length ? wanted : characterBoundary(this.#bytes, start, wanted);
    return this.#bytes.toString("utf8", start, end);
  }

  /**
   * The text from offset `from` on, at most `maxBytes`, to an end of one of the engine's pieces; none when they are all
   * longer. An engine that goes on with a text that ends there goes on as the one that wrote it.
   */
  pieces(from: number, maxBytes: number): string {
    const start = from - this.#start;
    const limit = start + Math.max(0, maxBytes);
    const end = this.#lastEnd(limit);
    return end > start ? this.#bytes.toString("utf8", start, end) : "";
  }

  /** Whether a character begins at this offset, or the text ends there. */
  isBoundary(offset: number): boolean {
    const at = offset - this.#start;
    return at >= 0 && at <= this.#length && (at === this.#length || !isContinuation(this.#bytes[at]));
  }

  /** The last end of a piece up to `limit`; 0 when there is none. */
  #lastEnd(limit: number): number {
    let [low, high] = [0, this.#ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) <= limit) low = middle + 1;
      else high = middle;
    }
    return this.#ends[low - 1] ?? 0;
  }

  #store(text: string): void {
    const bytes = Buffer.from(text.toWellFormed(), "utf8");
    const room = this.#limit - this.end;
    const taken = bytes.length <= room ? bytes.length : characterBoundary(bytes, 0, room);
    this.#full = taken < bytes.length;
    this.#grow(this.#length + taken);
    bytes.copy(this.#bytes, this.#length, 0, taken);
    this.#length += taken;
    if (taken > 0) this.#ends.push(this.#length);
  }

  #grow(needed: number): void {
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
