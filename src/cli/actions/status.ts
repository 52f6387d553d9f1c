import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../client/client.ts";
import type { Status } from "../../wire/admin.ts";
import { formatRecord, printResult } from "../format.ts";
import { canRewrite, type Io, toSafeText } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";

/** Time between two pictures, in ms. */
const REDRAW_MS = 1_000;
/** Moves to the top left and clears what is below (ECMA-48 §8.3.21, §8.3.39). */
const CLEAR_SCREEN = "\u001b[H\u001b[J";
const BYTES_PER_GIB = 1024 ** 3;

interface Look {
  readonly status: Status;
  /** Milliseconds since the process started. */
  readonly at: number;
}

/** Shows a coordinator's status once; with `watch`, on a terminal, again each second until Ctrl-C. */
export async function showStatus(io: Io, options: GlobalOptions, watch: boolean): Promise<void> {
  const client = await openClient(io, options, "client");
  if (watch && canRewrite(io.stdout, io.env)) return watchStatus(io, client);
  const status = await client.status();
  await printResult(io, options.output ?? "table", status, () => formatStatus({ status, at: 0 }));
}

async function watchStatus(io: Io, client: Client): Promise<void> {
  const abort = new AbortController();
  const { signal } = abort;
  const stops = (["SIGINT", "SIGTERM"] as const).map((name) => io.onSignal(name, () => abort.abort()));
  let before: Look | undefined;
  try {
    while (!signal.aborted) {
      const look = { status: await client.status({ signal }), at: io.uptimeMs() };
      const text = `${client.url} · Ctrl-C ends this\n\n${formatStatus(look, before)}\n`;
      io.stdout.write(CLEAR_SCREEN + toSafeText(text));
      before = look;
      await sleep(REDRAW_MS, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    for (const stop of stops) stop();
  }
}

/** The status for people; with an earlier look, rates since then. */
function formatStatus({ status, at }: Look, before?: Look): string {
  const { jobs, miners, system, units } = status;
  const seconds = before ? (at - before.at) / 1000 : 0;
  const perSecond = (now: number, then: number): string => `${((now - then) / seconds).toFixed(1)}/s`;
  const ended = ({ completed, failed, canceled, expired }: Status["jobs"]): number =>
    completed + failed + canceled + expired;
  const gib = (bytes: number): string => `${(bytes / BYTES_PER_GIB).toFixed(1)} GiB`;
  return formatRecord([
    ["status", status.status],
    ["queue", `${jobs.queued} waiting, ${jobs.running} running`],
    [
      "ended",
      `${jobs.completed} completed, ${jobs.failed} failed, ${jobs.canceled} canceled, ${jobs.expired} expired`,
    ],
    [
      "miners",
      `${miners.online} online of ${miners.total}, ${miners.busy_slots} of ${miners.slots} slots busy`,
    ],
    ["job time", `${miners.avg_job_duration_ms} ms on average`],
    ...(before && seconds > 0
      ? ([
          ["submitted", perSecond(jobs.total, before.status.jobs.total)],
          ["finished", perSecond(ended(jobs), ended(before.status.jobs))],
          ["units", perSecond(units, before.status.units)],
        ] as const)
      : []),
    ["cpu", `${system.cpu_percent} % of ${system.cpu_count} cores, load ${system.load_average}`],
    ["memory", `${system.memory_percent} % of ${gib(system.memory_total_bytes)}`],
    ["disk", `${system.disk_percent} % of ${gib(system.disk_total_bytes)}`],
  ]);
}
