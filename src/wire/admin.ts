import { z } from "zod";
import { route } from "./access.ts";
import { JobListQuery, JobPage, LIST_BOUNDS } from "./job-lists.ts";
import { JobView } from "./jobs.ts";
import {
  DEFAULT_ANALYTICS_DAYS,
  MAX_ANALYTICS_DAYS,
  MAX_LIST_OFFSET,
  MAX_LOG_RECORDS,
  MAX_PAGE,
} from "./limits.ts";
import { AmountString, Timestamp } from "./scalars.ts";

const access = ["admin"] as const;
const tag = "Administration";
const jobParams = z.object({ job_id: z.string().max(64) });
const minerParams = z.object({ miner_id: z.string().max(128) });

const Stats = z.object({
  total_jobs: z.int(),
  active_jobs: z.int().meta({ description: "Jobs that wait or run" }),
  online_miners: z.int(),
  avg_miner_job_duration_ms: z.int(),
  queued_jobs: z.int(),
  running_jobs: z.int(),
  completed_jobs: z.int(),
  failed_jobs: z.int(),
  canceled_jobs: z.int(),
  expired_jobs: z.int(),
  units: z.int(),
  price_uait: AmountString,
});
export type Stats = z.infer<typeof Stats>;

export const getAdminStats = route({
  method: "GET",
  path: "/v1/admin/stats",
  access,
  tag,
  summary: "Totals since the database was made",
  responses: { 200: { description: "Totals", schema: Stats } },
});

const SystemUsage = z.object({
  cpu_percent: z.number().meta({ description: "All cores of the machine together, since the last look" }),
  cpu_count: z.int(),
  load_average: z.number(),
  memory_percent: z.number(),
  memory_total_bytes: z.int(),
  memory_free_bytes: z.int(),
  process_memory_bytes: z.int(),
  disk_percent: z.number(),
  disk_total_bytes: z.int(),
  disk_free_bytes: z.int(),
  uptime_seconds: z.int().meta({ description: "Of this process" }),
});

export const Status = z.object({
  jobs: z.object({
    total: z.int(),
    active: z.int(),
    completed: z.int(),
    failed: z.int(),
    queued: z.int(),
    running: z.int(),
    canceled: z.int(),
    expired: z.int(),
  }),
  miners: z.object({
    total: z.int(),
    online: z.int(),
    offline: z.int(),
    avg_job_duration_ms: z.int(),
    slots: z.int(),
    busy_slots: z.int(),
  }),
  units: z.int(),
  system: SystemUsage,
  status: z.enum(["healthy", "degraded"]).meta({ description: "degraded: jobs wait and no miner is online" }),
});
export type Status = z.infer<typeof Status>;

export const getAdminStatus = route({
  method: "GET",
  path: "/v1/admin/status",
  access,
  tag,
  summary: "Jobs, miners and the machine now",
  responses: { 200: { description: "The status", schema: Status } },
});

export const getStatus = route({
  ...getAdminStatus,
  path: "/v1/status",
  access: ["client", "miner", "admin"],
  summary: "Jobs, miners and the machine now, for every key: no job and no miner is named",
});

const AdminJob = JobView.extend({ client_id: z.string() });
export type AdminJob = z.infer<typeof AdminJob>;

const AdminJobPage = JobPage.extend({ items: z.array(AdminJob) });
export type AdminJobPage = z.infer<typeof AdminJobPage>;

export const listAdminJobs = route({
  method: "GET",
  path: "/v1/admin/jobs",
  access,
  tag,
  summary: "Jobs of all clients, newest first",
  description: LIST_BOUNDS,
  query: JobListQuery.extend({ client_id: z.string().max(128).optional() }),
  responses: { 200: { description: "A page of jobs", schema: AdminJobPage } },
});

export const getAdminJob = route({
  method: "GET",
  path: "/v1/admin/jobs/:job_id",
  access,
  tag,
  summary: "A job and its client",
  params: jobParams,
  responses: { 200: { description: "The job", schema: AdminJob } },
});

export const deleteAdminJob = route({
  method: "DELETE",
  path: "/v1/admin/jobs/:job_id",
  access,
  tag,
  summary: "Cancel a job",
  params: jobParams,
  responses: { 200: { description: "The job, canceled", schema: JobView } },
});

export const prioritizeJob = route({
  method: "POST",
  path: "/v1/admin/jobs/:job_id/prioritize",
  access,
  tag,
  summary: "Give a waiting job the highest priority",
  description: "409 for a job that does not wait. The reason is written to the log.",
  params: jobParams,
  body: z.strictObject({ reason: z.string().min(1).max(256) }),
  responses: { 200: { description: "The job", schema: JobView } },
});

export const AdminMiner = z.object({
  miner_id: z.string(),
  status: z.enum(["ONLINE", "DRAINING", "OFFLINE", "QUARANTINED"]),
  inflight: z.int(),
  concurrency: z.int(),
  region: z.string().nullable(),
  last_heartbeat: Timestamp,
  average_job_duration_ms: z.int(),
  jobs_completed: z.int(),
  jobs_failed: z.int(),
  last_receipt_id: z.string().nullable(),
  name: z.string(),
  reason: z.string().nullable().meta({ description: "Why it gets no work" }),
  active: z.boolean().meta({ description: "false: an administrator keeps it from new jobs" }),
  jobs_canceled: z.int(),
  units: z.int(),
  earned_uait: AmountString,
  registered_at: Timestamp,
});
export type AdminMiner = z.infer<typeof AdminMiner>;

const AdminMinerPage = z.object({
  items: z.array(AdminMiner),
  total: z.int(),
  limit: z.int(),
  offset: z.int(),
});
export type AdminMinerPage = z.infer<typeof AdminMinerPage>;

export const listAdminMiners = route({
  method: "GET",
  path: "/v1/admin/miners",
  access,
  tag,
  summary: "Miners that ever registered",
  query: z.object({
    limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(MAX_PAGE),
    offset: z.coerce.number().int().min(0).max(MAX_LIST_OFFSET).default(0),
  }),
  responses: { 200: { description: "A page of miners", schema: AdminMinerPage } },
});

export const getAdminMiner = route({
  method: "GET",
  path: "/v1/admin/miners/:miner_id",
  access,
  tag,
  summary: "One miner",
  params: minerParams,
  responses: { 200: { description: "The miner", schema: AdminMiner } },
});

export const activateMiner = route({
  ...getAdminMiner,
  method: "POST",
  path: "/v1/admin/miners/:miner_id/activate",
  summary: "Give a miner jobs again; ends a quarantine as well",
});

export const deactivateMiner = route({
  ...getAdminMiner,
  method: "POST",
  path: "/v1/admin/miners/:miner_id/deactivate",
  summary: "Keep a miner from new jobs, also after a restart; running ones go on",
});

const Analytics = z.object({
  days: z.int(),
  items: z.array(
    z.object({
      date: z.string().meta({ example: "2026-11-21" }),
      completed: z.int(),
      failed: z.int(),
      canceled: z.int(),
      expired: z.int(),
      units: z.int(),
      price_uait: AmountString,
      avg_job_duration_ms: z.int(),
    }),
  ),
});
export type Analytics = z.infer<typeof Analytics>;

export const getAnalytics = route({
  method: "GET",
  path: "/v1/admin/analytics",
  access,
  tag,
  summary: "What ended on each of the last days (UTC), oldest first",
  query: z.object({
    days: z.coerce.number().int().min(1).max(MAX_ANALYTICS_DAYS).default(DEFAULT_ANALYTICS_DAYS),
  }),
  responses: { 200: { description: "One entry a day, today included", schema: Analytics } },
});

export const getLogs = route({
  method: "GET",
  path: "/v1/admin/logs",
  access,
  tag,
  summary: "The latest records of the log, newest first",
  description: `Up to ${MAX_LOG_RECORDS} records of this process are kept in memory. Prompts and secrets are never logged.`,
  query: z.object({
    level: z
      .string()
      .max(8)
      .transform((text) => text.toLowerCase())
      .pipe(z.enum(["debug", "info", "warn", "error", "fatal"]))
      .optional()
      .meta({ description: "The least important level that is shown" }),
    limit: z.coerce.number().int().min(1).max(MAX_LOG_RECORDS).default(100),
  }),
  responses: {
    200: {
      description: "Records",
      schema: z.object({ items: z.array(z.record(z.string(), z.unknown())), limit: z.int() }),
    },
  },
});

export const runCleanup = route({
  method: "POST",
  path: "/v1/admin/maintenance/cleanup",
  access,
  tag,
  summary: "Remove what nobody needs any more, now instead of within a minute",
  responses: { 200: { description: "Done", schema: z.object({ status: z.literal("ok") }) } },
});

export const runReindex = route({
  method: "POST",
  path: "/v1/admin/maintenance/reindex",
  access,
  tag,
  summary: "Build the indexes of the database anew",
  description: "Large tables are left out, because every write waits meanwhile; the answer names them.",
  responses: {
    200: {
      description: "Done",
      schema: z.object({
        status: z.literal("ok"),
        tables: z.array(z.string()),
        skipped: z.array(z.string()),
      }),
    },
  },
});

export const runBackup = route({
  method: "POST",
  path: "/v1/admin/maintenance/backup",
  access,
  tag,
  summary: "Copy the database into the data directory's folder backups, and check the copy",
  responses: {
    200: {
      description: "Done",
      schema: z.object({ status: z.literal("ok"), file: z.string(), size_bytes: z.int() }),
    },
  },
});

/** Routes that the coordinator serves. */
export const ADMIN_ROUTES = [
  getAdminStats,
  getAdminStatus,
  getStatus,
  listAdminJobs,
  getAdminJob,
  deleteAdminJob,
  prioritizeJob,
  listAdminMiners,
  getAdminMiner,
  activateMiner,
  deactivateMiner,
  getAnalytics,
  runCleanup,
] as const;
/** Routes of the process and its database. */
export const MAINTENANCE_ROUTES = [getLogs, runReindex, runBackup] as const;
