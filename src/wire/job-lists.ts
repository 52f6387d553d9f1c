import { z } from "zod";
import { JOB_STATES } from "../domain/job/state.ts";
import { route } from "./access.ts";
import { JobView } from "./jobs.ts";
import { MAX_LIST_OFFSET, MAX_PAGE, MAX_SEARCH_CHARACTERS } from "./limits.ts";
import { JobId, ModelName } from "./scalars.ts";

/** A time as a query gives it: RFC 3339, or a date alone, which means the whole day (UTC). */
const When = z
  .string()
  .max(40)
  .refine((text) => /^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text)), {
    message: "must be a date (2026-11-21) or a time (2026-11-21T06:00:00Z)",
  });

const State = z
  .string()
  .max(16)
  .transform((text) => text.toUpperCase())
  .pipe(z.enum(JOB_STATES));

/** Which jobs, and which of them. `status` and `job_type` are the names that existing clients use. */
export const JobListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(20),
  offset: z.coerce.number().int().min(0).max(MAX_LIST_OFFSET).default(0),
  cursor: JobId.optional().meta({ description: "`next_cursor` of the page before; instead of `offset`" }),
  status: State.optional().meta({ description: "State, in upper or lower case" }),
  state: State.optional(),
  job_type: z.string().max(64).optional(),
  kind: z.string().max(64).optional(),
  model: ModelName.optional(),
  miner: z.string().max(128).optional().meta({ description: "Id of the miner that ran it last" }),
  from: When.optional().meta({ description: "Submitted at this time or later" }),
  to: When.optional().meta({ description: "Submitted at this time or earlier" }),
  text: z
    .string()
    .min(1)
    .max(MAX_SEARCH_CHARACTERS)
    .optional()
    .meta({ description: "Part of the prompt or of a message" }),
});
export type JobListQuery = z.infer<typeof JobListQuery>;

/** A page of jobs, newest first. */
export const JobPage = z.object({
  items: z.array(JobView),
  total: z.int().meta({ description: "Jobs that fit, as far as they were counted" }),
  total_is_lower_bound: z.boolean(),
  limit: z.int(),
  offset: z.int(),
  next_cursor: z
    .string()
    .nullable()
    .meta({ description: "Goes on after this page; null at the end of the list" }),
});
export type JobPage = z.infer<typeof JobPage>;

export const LIST_BOUNDS =
  "`total` is exact up to 10,000 jobs; beyond it, it is a lower bound. With a filter, one call looks through the newest 10,000 jobs (1,000 with `text`, and prompts up to 64 KiB): a page may hold fewer jobs than asked for and still have a `next_cursor`, which goes on where the search stopped.";

export const listJobs = route({
  method: "GET",
  path: "/v1/jobs",
  access: ["client", "admin"],
  tag: "Jobs",
  summary: "Jobs, newest first",
  description: `A client's key lists its own jobs, an administrator's all. ${LIST_BOUNDS}`,
  query: JobListQuery,
  responses: { 200: { description: "A page of jobs", schema: JobPage } },
});

export const listJobHistory = route({ ...listJobs, path: "/v1/jobs/history" });

export const JOB_LIST_ROUTES = [listJobs, listJobHistory] as const;
