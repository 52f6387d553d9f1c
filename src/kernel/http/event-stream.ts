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
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      async cancel() {
        options.abort();
        await source.return();
      },
    },
    // Nothing is made before the body is read: the answer to a HEAD request never is, and must hold nothing.
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": options.contentType,
      "cache-control": "no-store",
      // Asks proxies not to hold events back.
      "x-accel-buffering": "no",
      ...options.headers,
    },
  });
}
