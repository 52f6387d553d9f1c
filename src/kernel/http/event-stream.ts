/** One server-sent event; `id` is what a reader sends back as `Last-Event-ID`. */
export interface ServerSentEvent {
  readonly event: string;
  readonly id?: number;
  /** JSON on one line. */
  readonly data: string;
}

const encoder = new TextEncoder();
const KEEP_ALIVE = encoder.encode(": keep-alive\n\n");

function encode({ event, id, data }: ServerSentEvent): Uint8Array {
  return encoder.encode(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`);
}

/**
 * Answers with a stream of server-sent events (WHATWG HTML §9.2). The source is asked for the next event only
 * when the reader has taken the last one, so a stalled reader holds back nothing but itself.
 */
export function eventStreamResponse(
  source: AsyncGenerator<ServerSentEvent | "keep-alive", void, void>,
  abort: () => void,
): Response {
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await source.next();
        if (done) controller.close();
        else controller.enqueue(value === "keep-alive" ? KEEP_ALIVE : encode(value));
      },
      async cancel() {
        abort();
        await source.return();
      },
    },
    // Nothing is made before the body is read: the answer to a HEAD request never is, and must hold nothing.
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      // Asks proxies not to hold events back.
      "x-accel-buffering": "no",
    },
  });
}
