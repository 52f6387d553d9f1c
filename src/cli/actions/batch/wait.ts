import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../../client/client.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { OpenAiBatch } from "../../../wire/openai/batches.ts";
import { type Io, writeLine } from "../../io.ts";
import { createProgress } from "../../progress.ts";
import { formatBar } from "./bar.ts";

/** How often a batch is asked for, in ms. */
const POLL_MS = 1_000;
/** How long a daemon that does not answer is waited for, in ms: restarts and upgrades take less. */
const MAX_GONE_MS = 120_000;

export const isOver = ({ status }: OpenAiBatch): boolean =>
  ["completed", "failed", "expired", "cancelled"].includes(status);

/**
 * Waits for the end of a batch, also over a restart of its daemon, and shows how far it is. Ctrl-C leaves it running.
 * @throws AppError INTERRUPTED; UNREACHABLE when the daemon stays away
 */
export async function waitForBatch(io: Io, client: Client, id: string): Promise<OpenAiBatch> {
  const progress = createProgress(io);
  const abort = new AbortController();
  const stops = (["SIGINT", "SIGTERM"] as const).map((signal) => io.onSignal(signal, () => abort.abort()));
  const began = io.uptimeMs();
  let since: number | undefined;
  let seenAt = began;
  try {
    for (;;) {
      try {
        const batch = await client.batches.get(id, { signal: abort.signal });
        seenAt = io.uptimeMs();
        if (isOver(batch)) return batch;
        const { total, completed, failed } = batch.request_counts;
        const done = completed + failed;
        since ??= done;
        const isCounted = batch.status === "in_progress";
        progress.show(
          isCounted ? formatBar({ total, done, failed, since }, seenAt - began) : describe(batch),
        );
      } catch (error) {
        if (!isPassing(error) || io.uptimeMs() - seenAt > MAX_GONE_MS) throw error;
        progress.show("the daemon does not answer; waiting for it");
      }
      await sleep(POLL_MS, undefined, { signal: abort.signal });
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    progress.clear();
    writeLine(io.stderr, `the batch runs on; to wait again: aitbc client batch status ${id} --wait`);
    throw new AppError("INTERRUPTED", "interrupted", { cause: error });
  } finally {
    progress.clear();
    for (const stop of stops) stop();
  }
}

function describe({ status, errors }: OpenAiBatch): string {
  const [why] = errors?.data ?? [];
  return why ? `${status} · ${why.message}` : status;
}

const isPassing = (error: unknown): boolean =>
  error instanceof AppError &&
  ["UNREACHABLE", "TIMEOUT", "SHUTTING_DOWN", "RATE_LIMITED"].includes(error.code);
