import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, createSystemClock } from "../kernel/clock.ts";
import { AppError } from "../kernel/errors.ts";
import { parseSse, type SseMessage } from "../kernel/http/sse.ts";
import { parseJson } from "../kernel/json.ts";
import { ChunkEvent, EndEvent, type JobEvent, StateEvent } from "../wire/job-events.ts";
import { getJobEvents } from "../wire/jobs.ts";
import { unreachableError } from "./failure.ts";
import type { Transport } from "./transport.ts";

export interface StreamOptions {
  /** Sequence number after which the stream starts; 0 is its beginning. */
  readonly lastEventId?: number;
  readonly signal?: AbortSignal | undefined;
  /** How long a lost daemon is looked for before the stream gives up, in ms. */
  readonly reconnectMs?: number;
  /** Called when the connection is lost and looked for again. */
  readonly onReconnect?: (error: AppError) => void;
  readonly clock?: Clock;
}

/** How long a lost daemon is looked for: a restart takes a second, a failover to another machine a minute. */
const DEFAULT_RECONNECT_MS = 60_000;
/** Waits between connections in ms: the first is short because most breaks are; they double up to the last. */
const BACKOFF_BASE_MS = 100;
const BACKOFF_MAX_MS = 3_000;

const ID = /^[0-9]{1,15}$/;

/** Reads one server-sent event as a job event; undefined for kinds that this version does not know. */
export function parseJobEvent(message: SseMessage): JobEvent | undefined {
  const known = { state: StateEvent, chunk: ChunkEvent, end: EndEvent };
  if (!Object.hasOwn(known, message.event)) return undefined;
  const data = parseJson(message.data);
  if (message.event === "state") return { event: "state", data: StateEvent.parse(data) };
  if (!ID.test(message.id ?? ""))
    throw new AppError("PROTOCOL_VIOLATION", "an event of the stream has no id");
  const id = Number(message.id);
  if (message.event === "chunk") return { event: "chunk", id, data: ChunkEvent.parse(data) };
  return { event: "end", id, data: EndEvent.parse(data) };
}

/** The position in a stream that survives its connections. */
class Cursor {
  lastEventId: number;
  /** Whether a connection ever stood: before that, an unreachable daemon is the answer. */
  connected = false;
  /** When the connection was lost, in monotonic ms. */
  lostAt: number | undefined;
  failures = 0;

  constructor(lastEventId: number) {
    this.lastEventId = lastEventId;
  }

  /** Notes that an event came. Returns false for one that was seen before. */
  accept(event: JobEvent): boolean {
    this.lostAt = undefined;
    this.failures = 0;
    if (event.event === "state") return true;
    if (event.id <= this.lastEventId) return false;
    this.lastEventId = event.id;
    return true;
  }
}

async function* readConnection(
  transport: Transport,
  jobId: string,
  cursor: Cursor,
  signal: AbortSignal | undefined,
): AsyncGenerator<JobEvent, "ended" | "dropped", undefined> {
  const resume = cursor.lastEventId > 0 ? { "last-event-id": String(cursor.lastEventId) } : {};
  const response = await transport.open(getJobEvents, {
    params: { job_id: jobId },
    headers: { accept: "text/event-stream", ...resume },
    signal,
  });
  cursor.connected = true;
  if (response.status === 204 || !response.body) return "ended";
  for await (const message of parseSse(response.body)) {
    const event = parseJobEvent(message);
    if (!event || !cursor.accept(event)) continue;
    yield event;
    if (event.event === "end") return "ended";
  }
  return "dropped";
}

/** Whether a stream can go on after an error: the daemon or the way to it is gone for a moment. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof AppError)) return !(error instanceof Error && error.name === "ZodError");
  return ["UNREACHABLE", "TIMEOUT", "SHUTTING_DOWN", "RATE_LIMITED", "STORAGE_UNAVAILABLE"].includes(
    error.code,
  );
}

/**
 * The events of a job, from `lastEventId` to its end. A lost connection is opened again and resumes where it
 * broke, so that no text comes twice and none is missing. Leaving the loop closes the connection and leaves
 * the job alone.
 * @throws AppError UNREACHABLE when the daemon stays away for `reconnectMs`, INTERRUPTED when the signal
 * aborts, JOB_NOT_FOUND, UNAUTHORIZED_KEY, …
 */
export async function* streamJob(
  transport: Transport,
  jobId: string,
  options: StreamOptions = {},
): AsyncGenerator<JobEvent, void, undefined> {
  const clock = options.clock ?? createSystemClock();
  const cursor = new Cursor(options.lastEventId ?? 0);
  for (;;) {
    let lost: unknown;
    try {
      const end = yield* readConnection(transport, jobId, cursor, options.signal);
      if (end === "ended") return;
    } catch (error) {
      if (options.signal?.aborted) throw new AppError("INTERRUPTED", "interrupted", { cause: error });
      if (!cursor.connected || !isPassing(error)) throw error;
      lost = error;
    }
    const error =
      lost instanceof AppError ? lost : unreachableError(transport.url, lost ?? new Error("it hung up"));
    cursor.lostAt ??= clock.monotonic();
    if (clock.monotonic() - cursor.lostAt > (options.reconnectMs ?? DEFAULT_RECONNECT_MS)) throw error;
    options.onReconnect?.(error);
    await pause(cursor.failures++, options.signal);
  }
}

async function pause(failures: number, signal: AbortSignal | undefined): Promise<void> {
  const ms = Math.min(BACKOFF_BASE_MS * 2 ** failures, BACKOFF_MAX_MS);
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (cause) {
    throw new AppError("INTERRUPTED", "interrupted", { cause });
  }
}
