import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { AppError } from "../../../kernel/errors.ts";
import type { BatchEntry } from "./entries.ts";

/** What a batch has submitted so far: lines of JSON beside the batch's file. */
export interface BatchState {
  readonly path: string;
  /** Id of the job that an entry has become already. */
  find(key: string): string | undefined;
  add(key: string, line: number, jobId: string): void;
}

/**
 * The Idempotency-Key of an entry: the same entry on the same line of any run is one job, also when the state
 * was lost with the answer on its way (within the 24 h in which the daemon remembers keys).
 */
export function keyOf({ line, job }: BatchEntry): string {
  return `batch-${createHash("sha256")
    .update(`${line}\n${JSON.stringify(job)}`)
    .digest("hex")}`;
}

/** Opens the state of a batch. A last line that a crash cut off is left out. */
export function openState(path: string): BatchState {
  const jobs = new Map<string, string>();
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  for (const line of lines) {
    try {
      const { key, job_id } = JSON.parse(line) as { key?: unknown; job_id?: unknown };
      if (typeof key === "string" && typeof job_id === "string") jobs.set(key, job_id);
    } catch {
      // Cut off: its entry is submitted again, and its key makes it the same job.
    }
  }
  return {
    path,
    find: (key) => jobs.get(key),
    add(key, line, jobId) {
      jobs.set(key, jobId);
      try {
        appendFileSync(path, `\n${JSON.stringify({ line, job_id: jobId, key })}`, { mode: 0o600 });
      } catch (cause) {
        throw new AppError("DATA_UNWRITABLE", `cannot write the batch's state ${path}`, { cause });
      }
    },
  };
}
