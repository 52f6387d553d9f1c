import type { Usage } from "../../wire/jobs.ts";
import { listReceipts } from "./store/delivery.ts";
import type { Db } from "./store/handle.ts";
import type { JobTable } from "./tables.ts";

/** Segments of one job that are looked at: more than any job has attempts. */
const MAX_SEGMENTS = 100;

/**
 * Tokens of a whole job: as the engine counted them or, where its miner gave no count, as they were metered. An
 * engine that continues a text counts what was there as part of its prompt, which belongs to the answer here.
 */
export async function readUsage(db: Db, job: JobTable): Promise<Usage | null> {
  // The column was written from a checked frame.
  const counted = job.usage === null ? null : (JSON.parse(job.usage) as Usage);
  if (counted && job.token === 1) return counted;
  const receipts = await listReceipts(db, job.job_id, 0, MAX_SEGMENTS);
  const parts = receipts.map(({ token, units, document }) => ({
    token,
    prompt: promptUnitsOf(document),
    answer: units - promptUnitsOf(document),
  }));
  if (!counted) {
    if (parts.length === 0) return null;
    return { prompt_tokens: sum(parts, "prompt"), completion_tokens: sum(parts, "answer") };
  }
  const earlier = sum(
    parts.filter(({ token }) => token < job.token),
    "answer",
  );
  return {
    prompt_tokens: Math.max(0, counted.prompt_tokens - earlier),
    completion_tokens: counted.completion_tokens + earlier,
  };
}

function sum<Name extends string>(parts: readonly Readonly<Record<Name, number>>[], name: Name): number {
  return parts.reduce((total, part) => total + part[name], 0);
}

/** What of a receipt's units the prompt is: in its signed metadata. */
function promptUnitsOf(document: string): number {
  // The column holds a receipt that this program has built.
  const { metadata } = JSON.parse(document) as { readonly metadata?: { readonly prompt_units?: number } };
  return metadata?.prompt_units ?? 0;
}
