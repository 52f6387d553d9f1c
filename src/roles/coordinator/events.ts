import { isTerminal } from "../../domain/job/state.ts";
import type { ChunkEvent, JobEvent, StateEvent } from "../../wire/job-events.ts";
import type { QueueView } from "../../wire/jobs.ts";
import {
  AT_ONCE_MS,
  CHUNK_PAGE,
  CHUNK_PAGE_BYTES,
  KEEP_ALIVE_MS,
  POSITION_INTERVAL_MS,
  UNREAD_STREAM_MS,
} from "./limits.ts";
import type { Store } from "./ports.ts";
import { findReceipt, listChunks } from "./store/delivery.ts";
import { findJob } from "./store/jobs.ts";
import type { Streams } from "./streams.ts";
import type { JobTable } from "./tables.ts";
import { readUsage } from "./usage.ts";
import { formatOf, toEndEvent } from "./views.ts";

/** What a reader is handed: an event, or a sign of life. */
export type StreamItem = JobEvent | "keep-alive";

interface EventSource {
  readonly store: Store;
  readonly streams: Streams;
  queueView(job: JobTable): Promise<QueueView | undefined>;
  /** Whether a lease of this process works on the job and nothing of its text is stored, nor about to be. */
  isUnwritten(jobId: string): boolean;
}

/**
 * Reads a job's stream from after a sequence number to its end. Rows are the truth: the reader holds no more
 * than a page of chunks, takes the newest from the ring and the rest from the database, and so never misses
 * nor repeats one, however slow it is. The reader counts from this call on, not from its first item, so that a
 * limit checked just before is never passed; one that does not begin to read loses its place.
 */
export function readEvents(
  source: EventSource,
  jobId: string,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<StreamItem, void, void> {
  const { streams } = source;
  let place: (() => void) | undefined = streams.attach(jobId);
  const giveUp = (): void => {
    clearTimeout(timer);
    place?.();
    place = undefined;
  };
  const timer = setTimeout(giveUp, UNREAD_STREAM_MS);
  timer.unref();
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  const begin = (): (() => void) => {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
    const detach = place ?? streams.attach(jobId);
    place = undefined;
    return detach;
  };
  return read(source, jobId, afterSeq, signal, begin);
}

async function* read(
  source: EventSource,
  jobId: string,
  afterSeq: number,
  signal: AbortSignal,
  begin: () => () => void,
): AsyncGenerator<StreamItem, void, void> {
  const { store, streams } = source;
  const detach = begin();
  const watch = streams.watch(jobId, signal);
  try {
    let sent = afterSeq;
    let job: JobTable | undefined;
    let format: Pick<ChunkEvent, "format"> | undefined;
    let stateVersion = -1;
    let shown = "";
    let isPatient = true;
    while (!signal.aborted) {
      const look = streams.look(jobId, sent);
      if (job === undefined || look.stateVersion !== stateVersion || job.state === "QUEUED") {
        job = await findJob(store.db, jobId);
        stateVersion = look.stateVersion;
        if (!job) return;
        if (job.token === 0 || source.isUnwritten(jobId)) streams.unbegun(jobId);
        if (formatOf(job) === "deltas") format = { format: "deltas" };
        if (isPatient && job.state === "QUEUED") {
          isPatient = false;
          await watch.wait(look.version, AT_ONCE_MS);
          continue;
        }
        const event = isTerminal(job.state) ? undefined : await toStateEvent(source, job);
        const text = JSON.stringify(event);
        if (event && text !== shown) {
          shown = text;
          yield { event: "state", data: event };
        }
      }
      const chunks = streams.look(jobId, sent).chunks ?? (await readChunks(store, jobId, sent));
      for (const chunk of chunks) {
        sent = chunk.seq;
        yield { event: "chunk", id: chunk.seq, data: format ? { ...chunk, ...format } : chunk };
      }
      if (isTerminal(job.state) && sent >= job.last_seq) {
        const receipt = await findReceipt(store.db, jobId);
        const usage = await readUsage(store.db, job);
        const data = toEndEvent(job, receipt?.receipt_id ?? null, usage);
        yield { event: "end", id: job.last_seq + 1, data };
        return;
      }
      if (chunks.length > 0) continue;
      const before = look.version;
      await watch.wait(before, job.state === "QUEUED" ? POSITION_INTERVAL_MS : KEEP_ALIVE_MS);
      if (streams.look(jobId, sent).version === before) yield "keep-alive";
    }
  } finally {
    watch[Symbol.dispose]();
    detach();
  }
}

async function toStateEvent(source: EventSource, job: JobTable): Promise<StateEvent> {
  const queue = await source.queueView(job);
  return { state: job.state, attempt: job.attempts, miner_id: job.miner_id, ...(queue && { queue }) };
}

async function readChunks(store: Store, jobId: string, afterSeq: number): Promise<ChunkEvent[]> {
  const rows = await listChunks(store.db, jobId, afterSeq, { rows: CHUNK_PAGE, bytes: CHUNK_PAGE_BYTES });
  return rows.map(({ seq, token, text }) => ({ seq, segment: token, text }));
}
