import { z } from "zod";
import { JOB_STATES } from "../domain/job/state.ts";
import { route } from "./access.ts";
import { JobParams, OWNER, QueueView } from "./jobs.ts";
import { JobId, Timestamp } from "./scalars.ts";

/** A miner that could have run a job, or could not. */
const CandidateView = z.object({
  miner_id: z.string(),
  name: z.string(),
  score: z.number().nullable().meta({
    description:
      "1 less its load, 0.5 more where it holds the conversation, 0.75 more where the model is loaded; null: it could not run the job then",
  }),
  load: z.number().meta({ description: "Part of its slots that were taken" }),
  is_warm: z.boolean().nullable().meta({ description: "Whether the model was in memory; null: unknown" }),
  holds_prefix: z.boolean().meta({ description: "It ran an earlier turn of the same conversation" }),
  why_not: z.string().nullable(),
});
export type CandidateView = z.infer<typeof CandidateView>;

/** One lease of a job, and why it went to its miner. */
const LeaseView = z.object({
  token: z.int().meta({ description: "Number of the lease, from 1" }),
  miner_id: z.string(),
  started_at: Timestamp,
  ended_at: Timestamp.nullable(),
  outcome: z.string().nullable(),
  waited_ms: z.int().nullable().meta({ description: "From the submission to this lease" }),
  promised_ms: z.int().nullable().meta({ description: "What the job was told first; null: nothing" }),
  candidates: z.array(CandidateView).meta({ description: "The chosen one first, then by score; at most 8" }),
});
export type LeaseView = z.infer<typeof LeaseView>;

/** Why a job went where it went, or why it waits. */
export const JobExplanation = z.object({
  job_id: JobId,
  state: z.enum(JOB_STATES),
  text: z.array(z.string()).meta({ description: "All of it in plain words, a sentence each" }),
  queue: QueueView.optional(),
  candidates: z
    .array(CandidateView)
    .optional()
    .meta({ description: "The miners as they stand now, while the job waits; at most 8" }),
  leases: z.array(LeaseView).meta({ description: "The last ones, oldest first; at most 10" }),
});
export type JobExplanation = z.infer<typeof JobExplanation>;

export const explainJob = route({
  method: "GET",
  path: "/v1/jobs/:job_id/explain",
  access: OWNER,
  tag: "Jobs",
  summary: "Why a job went to its miner, or why it waits",
  description: "What each miner scored, in numbers and in plain words. Other clients are never named.",
  params: JobParams,
  responses: { 200: { description: "The explanation", schema: JobExplanation } },
});
