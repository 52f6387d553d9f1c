import type { Client } from "../../client/client.ts";
import { AppError } from "../../kernel/errors.ts";
import type { EndEvent, StateEvent } from "../../wire/job-events.ts";
import { type Io, writeLine } from "../io.ts";
import { createProgress, type Progress } from "../progress.ts";
import { JobOutput } from "./answer/output.ts";
import type { AnswerSink } from "./answer/sink.ts";
import { formatQueue } from "./job-view.ts";

export interface Followed {
  readonly output: JobOutput;
  readonly end: EndEvent;
  /** The person at the terminal asked to cancel the job. */
  readonly interrupted: boolean;
  /** Milliseconds from the start of the process to the first text, and to the end; null when there was no text. */
  readonly firstTextMs: number | null;
  readonly endMs: number;
  /** The miner that had it last, as far as the stream told. */
  readonly minerId: string | null;
}

export interface FollowOptions {
  /** Where the answer goes as it comes; absent: nowhere. */
  readonly sink?: AnswerSink;
  /** Leaves the job when it aborts. Absent: Ctrl-C is listened to, and cancels the job. */
  readonly signal?: AbortSignal;
}

/** What a first Ctrl-C has done. */
interface Interrupt {
  readonly asked: boolean;
  stop(): void;
}

const NO_INTERRUPT: Interrupt = { asked: false, stop() {} };

function describeState(data: StateEvent): string {
  if (data.queue) return `waiting · ${formatQueue(data.queue)}`;
  if (data.state === "QUEUED") return "waiting for a miner";
  return data.attempt > 1 ? `running · attempt ${data.attempt}` : "running";
}

/**
 * The first Ctrl-C cancels the job, so that nobody pays for an answer that nobody reads; a second one leaves
 * at once. Returns the end of it.
 */
function cancelOnInterrupt(io: Io, client: Client, jobId: string, abort: () => void): Interrupt {
  const state = { asked: false, stop: () => {} };
  const onInterrupt = (): void => {
    if (state.asked) {
      abort();
      return;
    }
    state.asked = true;
    writeLine(io.stderr, `\ncanceling job ${jobId} … (Ctrl-C again leaves at once)`);
    client.cancelJob(jobId).catch((error: unknown) => {
      // The job may have ended in the same moment: its end is on the way then.
      if (error instanceof AppError && error.code === "CONFLICT_STATE") return;
      writeLine(io.stderr, `could not cancel: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  const stops = [io.onSignal("SIGINT", onInterrupt), io.onSignal("SIGTERM", onInterrupt)];
  state.stop = () => {
    for (const stop of stops) stop();
  };
  return state;
}

/** Says that the connection is lost, on a line of its own: the answer goes on below it. */
function sayLost(io: Io, progress: Progress, sink: AnswerSink | undefined, once: { said: boolean }): void {
  if (!once.said && sink?.midLine && io.stdout.isTTY && io.stderr.isTTY) io.stderr.write("\n");
  once.said = true;
  progress.show("the connection broke; looking for the daemon");
}

/**
 * Follows a job to its end: the answer goes to the sink as it comes, what is waited for to stderr. A lost connection
 * is looked for and goes on where it broke, so that the sink gets nothing twice and misses nothing.
 * @throws AppError INTERRUPTED after a second Ctrl-C, UNREACHABLE when the daemon stays away
 */
export async function followJob(
  io: Io,
  client: Client,
  jobId: string,
  { sink, signal: given }: FollowOptions,
): Promise<Followed> {
  const progress = createProgress(io);
  const abort = new AbortController();
  const interrupt = given ? NO_INTERRUPT : cancelOnInterrupt(io, client, jobId, () => abort.abort());
  const signal = given ?? abort.signal;
  const output = new JobOutput();
  const lost = { said: false };
  let firstTextMs: number | null = null;
  let minerId: string | null = null;
  const onReconnect = (): void => sayLost(io, progress, sink, lost);
  progress.show("submitted");
  try {
    for await (const event of client.jobEvents(jobId, { signal, onReconnect })) {
      lost.said = false;
      if (event.event === "end") {
        const { asked: interrupted } = interrupt;
        return { output, end: event.data, interrupted, firstTextMs, endMs: io.uptimeMs(), minerId };
      }
      if (event.event === "state") {
        minerId = event.data.miner_id ?? minerId;
        // Once text flows on the terminal, a spinner would write into it.
        if (firstTextMs === null || !sink) progress.show(describeState(event.data));
        else progress.clear();
        continue;
      }
      firstTextMs ??= io.uptimeMs();
      const deltas = output.add(event.data);
      if (!sink) continue;
      progress.clear();
      for (const delta of deltas) await sink.write(delta);
    }
    throw new AppError("PROTOCOL_VIOLATION", `the stream of job ${jobId} ended without its end`);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "UNREACHABLE") throw error;
    const hint = `the job runs on; when the daemon is back: aitbc client result ${jobId} --wait`;
    throw new AppError("UNREACHABLE", error.message, { meta: { hint }, cause: error });
  } finally {
    progress.clear();
    interrupt.stop();
    await sink?.end();
  }
}
