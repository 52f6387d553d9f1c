import { type Channel, CLOSE } from "../../kernel/channel.ts";
import { toAppError } from "../../kernel/errors.ts";
import type { StreamItem } from "./events.ts";
import { MAX_WATCHER_BUFFERED_BYTES } from "./limits.ts";

/**
 * Tells a client over a WebSocket how its job's state changes, and closes when the job has ended. Text is not
 * sent: `GET /v1/jobs/{id}/events` streams it, `GET /v1/jobs/{id}/result` has all of it.
 */
export function serveJobSocket(
  jobId: string,
  source: AsyncGenerator<StreamItem, void, void>,
  abort: AbortController,
  channel: Channel,
): void {
  channel.onClose(() => abort.abort());
  forward(jobId, source, channel).then(
    () => channel.close(CLOSE.normal, "the job has ended"),
    (error: unknown) => channel.close(CLOSE.tryLater, toAppError(error).code),
  );
}

async function forward(
  jobId: string,
  source: AsyncGenerator<StreamItem, void, void>,
  channel: Channel,
): Promise<void> {
  const send = (frame: object): void => channel.send(JSON.stringify(frame));
  for await (const item of source) {
    if (item === "keep-alive" || item.event === "chunk") continue;
    if (channel.bufferedBytes > MAX_WATCHER_BUFFERED_BYTES) return channel.close(CLOSE.tryLater, "too slow");
    send({ type: "state.changed", job_id: jobId, ...item.data });
    if (item.event === "end") send({ type: "result.ready", job_id: jobId, ...item.data });
  }
}
