import type { ServerResponse } from "node:http";

/** One server-sent event; `id` is what a reader sends back as `Last-Event-ID`. */
export interface ServerSentEvent {
  readonly event: string;
  readonly id?: number;
  /** JSON on one line. */
  readonly data: string;
}

const encoder = new TextEncoder();
const KEEP_ALIVE = ": keep-alive\n\n";

const encode = ({ event, id, data }: ServerSentEvent): string =>
  `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;

async function* encodeAll(
  source: AsyncGenerator<ServerSentEvent | "keep-alive", void, void>,
): AsyncGenerator<string, void, void> {
  for await (const item of source) yield item === "keep-alive" ? KEEP_ALIVE : encode(item);
}

/** Answers with a stream of server-sent events (WHATWG HTML §9.2). */
export function eventStreamResponse(
  source: AsyncGenerator<ServerSentEvent | "keep-alive", void, void>,
  abort: () => void,
): Response {
  return textStreamResponse(encodeAll(source), { contentType: "text/event-stream", abort });
}

/**
 * Answers with text that is made while it is read. The source is asked for the next part only when the reader has
 * taken the last one, so a stalled reader holds back nothing but itself. `abort` is called when it has gone.
 */
export function textStreamResponse(
  source: AsyncGenerator<string, void, void>,
  options: {
    readonly contentType: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly abort: () => void;
  },
): Response {
  const body = new StreamedText(source, options.abort);
  const response = new Response(body.stream, {
    headers: {
      "content-type": options.contentType,
      "cache-control": "no-store",
      // Asks proxies not to hold events back.
      "x-accel-buffering": "no",
      ...options.headers,
    },
  });
  streamed.set(response, body);
  return response;
}

/** Bodies of answers that nobody reads yet. */
const streamed = new WeakMap<Response, StreamedText>();

/**
 * Tells an answer that is made while it is read where it goes to: as soon as its head is sent its parts are written
 * there, since each would take as long on its way through a web stream as all else that is done for it.
 */
export function writeStraightTo(response: Response, outgoing: ServerResponse): void {
  const body = streamed.get(response);
  if (body) body.outgoing = outgoing;
}

/** A body of text that is made while it is read. */
class StreamedText {
  readonly stream: ReadableStream<Uint8Array>;
  outgoing: ServerResponse | undefined;
  readonly #source: AsyncGenerator<string, void, void>;
  #isCanceled = false;

  constructor(source: AsyncGenerator<string, void, void>, abort: () => void) {
    this.#source = source;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: async () => {
          this.#isCanceled = true;
          abort();
          await source.return();
        },
      },
      // Nothing is made before the body is read: the answer to a HEAD request never is, and must hold nothing.
      { highWaterMark: 0 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.outgoing?.headersSent) {
      await this.#writeAll(this.outgoing);
      if (!this.#isCanceled) controller.close();
      return;
    }
    const { done, value } = await this.#source.next();
    if (done) controller.close();
    else controller.enqueue(encoder.encode(value));
  }

  /** Writes what is left. Whoever reads the stream waits for its end meanwhile; when he cancels it, it is given up. */
  async #writeAll(outgoing: ServerResponse): Promise<void> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (done) return;
      if (!outgoing.write(value)) await new Promise<void>((resolve) => outgoing.once("drain", resolve));
    }
  }
}
