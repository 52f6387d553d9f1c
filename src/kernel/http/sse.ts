/** Server-sent events, read as the HTML standard says (§9.2.6 "Interpreting an event stream"). */
import { AppError } from "../errors.ts";

export interface SseMessage {
  readonly event: string;
  readonly data: string;
  /** The id of this event; undefined when it has none. */
  readonly id: string | undefined;
}

/** Largest event, in characters: a chunk of 64 KiB fits many times over, and nobody can fill the memory. */
const MAX_EVENT_CHARACTERS = 4 * 1024 * 1024;

const SPACE = 0x20;
const LINE_FEED = 0x0a;

/** Collects the fields of one event, line by line. */
class EventBuilder {
  #event = "";
  #data: string | undefined;
  #id: string | undefined;

  /** Takes a line; returns the event that an empty line ends. An event without data is dropped. */
  take(line: string): SseMessage | undefined {
    if (line === "") return this.#finish();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1);
    if (field === "data") this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #finish(): SseMessage | undefined {
    const data = this.#data;
    const message = data === undefined ? undefined : { event: this.#event || "message", data, id: this.#id };
    this.#event = "";
    this.#data = undefined;
    this.#id = undefined;
    return message;
  }
}

/**
 * Cuts text that comes in parts into lines. Each character is looked at once, however small the parts are: a line
 * that has begun waits unread for its end.
 */
class LineSplitter {
  /** The line that has begun in the parts before. */
  #begun = "";
  #part = "";
  /** Where the next line begins in the part. */
  #at = 0;
  /** The next line end of either kind in the part, infinite where it has none: each is searched for once. */
  #feed = Number.POSITIVE_INFINITY;
  #return = Number.POSITIVE_INFINITY;
  /** Whether the last line ended with a carriage return, of which a line feed would be the second half. */
  #returned = false;

  /** Characters of the line that has begun, once no whole line is left. */
  get begunCharacters(): number {
    return this.#begun.length;
  }

  push(part: string): void {
    if (part === "") return;
    const text = this.#part.slice(this.#at) + part;
    this.#part = text;
    this.#at = this.#returned && text.charCodeAt(0) === LINE_FEED ? 1 : 0;
    this.#returned = false;
    this.#feed = find(text, "\n", this.#at);
    this.#return = find(text, "\r", this.#at);
  }

  /** The next line that is whole. */
  next(): string | undefined {
    const end = Math.min(this.#feed, this.#return);
    if (end === Number.POSITIVE_INFINITY) {
      this.#begun += this.#part.slice(this.#at);
      this.#part = "";
      this.#at = 0;
      return undefined;
    }
    const line = this.#begun + this.#part.slice(this.#at, end);
    this.#begun = "";
    this.#pass(end);
    return line;
  }

  /** Goes on behind the line end that begins there. */
  #pass(end: number): void {
    this.#at = end + 1;
    if (this.#return === end) {
      this.#returned = this.#at === this.#part.length;
      if (this.#feed === this.#at) this.#at += 1;
      this.#return = find(this.#part, "\r", this.#at);
    }
    if (this.#feed < this.#at) this.#feed = find(this.#part, "\n", this.#at);
  }
}

function find(text: string, sought: string, from: number): number {
  const at = text.indexOf(sought, from);
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

/**
 * Reads events from bytes that come in parts: after each part, take events until there is none. An event that the
 * end cuts off is dropped, as the standard wants.
 */
export class SseParser {
  readonly #decoder = new TextDecoder("utf-8");
  readonly #lines = new LineSplitter();
  readonly #builder = new EventBuilder();
  /** Of the lines of the event that has begun. */
  #eventCharacters = 0;

  push(part: Uint8Array): void {
    this.#lines.push(this.#decoder.decode(part, { stream: true }));
  }

  /** The next event that is whole. @throws AppError PROTOCOL_VIOLATION when an event passes the limit */
  next(): SseMessage | undefined {
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      this.#eventCharacters = line === "" ? 0 : this.#eventCharacters + line.length;
      const message = this.#builder.take(line);
      if (message) return message;
    }
    if (this.#eventCharacters + this.#lines.begunCharacters > MAX_EVENT_CHARACTERS) {
      throw new AppError("PROTOCOL_VIOLATION", "the server sent an event that is too large");
    }
    return undefined;
  }
}

/** Reads events from a stream of bytes. @throws AppError as `SseParser.next` */
export async function* parseSse(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<SseMessage, void, undefined> {
  const parser = new SseParser();
  for await (const part of bytes) {
    parser.push(part);
    for (let message = parser.next(); message; message = parser.next()) yield message;
  }
}
