import type { Client } from "../../client/client.ts";
import { AppError } from "../../kernel/errors.ts";
import type { EndEvent, StateEvent } from "../../wire/job-events.ts";
import { type Io, writeLine, writeText } from "../io.ts";
import { createProgress } from "../progress.ts";
import { formatQueue } from "./job-view.ts";

export interface Followed {
  readonly text: string;
  readonly end: EndEvent;
  /** The person at the terminal asked to cancel the job. */
  readonly interrupted: boolean;
  /** Milliseconds from the start of the process to the first text; null when there was none. */
  readonly firstTextMs: number | null;
}

export interface FollowOptions {
  /** Whether text goes to stdout as it comes. */
  readonly streamText: boolean;
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

/**
 * Follows a job to its end: text goes to stdout as it comes, what is waited for to stderr.
 * @throws AppError INTERRUPTED after a second Ctrl-C, UNREACHABLE when the daemon stays away
 */
export async function followJob(
  io: Io,
  client: Client,
  jobId: string,
  options: FollowOptions,
): Promise<Followed> {
  const progress = createProgress(io);
  const abort = new AbortController();
  const interrupt = options.signal ? NO_INTERRUPT : cancelOnInterrupt(io, client, jobId, () => abort.abort());
  const signal = options.signal ?? abort.signal;
  let text = "";
  let firstTextMs: number | null = null;
  const finishLine = (): void => {
    if (options.streamText && io.stdout.isTTY && text !== "" && !text.endsWith("\n")) io.stdout.write("\n");
  };
  const onReconnect = (): void => progress.show("the connection broke; looking for the daemon");
  progress.show("submitted");
  try {
    for await (const event of client.jobEvents(jobId, { signal, onReconnect })) {
      if (event.event === "end") return { text, end: event.data, interrupted: interrupt.asked, firstTextMs };
      if (event.event === "state") {
        // Once text flows on the terminal, a spinner would write into it.
        if (text === "" || !options.streamText) progress.show(describeState(event.data));
        continue;
      }
      firstTextMs ??= io.uptimeMs();
      text += event.data.text;
      if (!options.streamText) continue;
      progress.clear();
      await writeText(io.stdout, event.data.text);
    }
    throw new AppError("PROTOCOL_VIOLATION", `the stream of job ${jobId} ended without its end`);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "UNREACHABLE") throw error;
    const hint = `the job runs on; when the daemon is back: aitbc client result ${jobId} --wait`;
    throw new AppError("UNREACHABLE", error.message, { meta: { hint }, cause: error });
  } finally {
    progress.clear();
    interrupt.stop();
    finishLine();
  }
}
