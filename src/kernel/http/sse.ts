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

const LINE_END = /\r\n|\n|\r/;

/** Collects the fields of one event, line by line. */
class EventBuilder {
  #event = "";
  #data: string[] = [];
  #id: string | undefined;

  /** Takes a line; returns the event that an empty line ends. An event without data is dropped. */
  take(line: string): SseMessage | undefined {
    if (line === "") return this.#finish();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #finish(): SseMessage | undefined {
    const data = this.#data;
    const message = { event: this.#event || "message", data: data.join("\n"), id: this.#id };
    this.#event = "";
    this.#data = [];
    this.#id = undefined;
    return data.length > 0 ? message : undefined;
  }
}

/**
 * Reads events from bytes. An event that the end cuts off is dropped, as the standard wants.
 * @throws AppError PROTOCOL_VIOLATION when an event passes the limit
 */
export async function* parseSse(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<SseMessage, void, undefined> {
  const decoder = new TextDecoder("utf-8");
  const builder = new EventBuilder();
  let rest = "";
  let eventCharacters = 0;
  for await (const part of bytes) {
    rest += decoder.decode(part, { stream: true });
    // A carriage return at the end may be the first half of a line end.
    const held = rest.endsWith("\r") ? "\r" : "";
    const lines = rest.slice(0, rest.length - held.length).split(LINE_END);
    rest = (lines.pop() ?? "") + held;
    for (const line of lines) {
      eventCharacters += line.length;
      const message = builder.take(line);
      if (line === "") eventCharacters = 0;
      if (message) yield message;
    }
    if (eventCharacters + rest.length > MAX_EVENT_CHARACTERS) {
      throw new AppError("PROTOCOL_VIOLATION", "the server sent an event that is too large");
    }
  }
}
