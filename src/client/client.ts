import { randomUUID } from "node:crypto";
import type { z } from "zod";
import type { KeyKind } from "../wire/access.ts";
import {
  type AdminJobPage,
  type AdminMiner,
  type AdminMinerPage,
  activateMiner,
  deactivateMiner,
  getAdminStats,
  getStatus,
  listAdminJobs,
  listAdminMiners,
  type Stats,
  Status,
} from "../wire/admin.ts";
import type { EndEvent, JobEvent } from "../wire/job-events.ts";
import { JobPage, listJobHistory } from "../wire/job-lists.ts";
import {
  cancelJob,
  getJob,
  getJobReceipt,
  getJobResult,
  JobResult,
  type JobSubmission,
  JobView,
  listJobReceipts,
  ReceiptJson,
  ReceiptPage,
  submitJob,
} from "../wire/jobs.ts";
import { getMinerEarnings, getMinerJobs, type MinerEarnings, type MinerJobs } from "../wire/miners.ts";
import { CreatedKey, createKey, getHealth, KeyView, listKeys, revokeKey } from "../wire/system.ts";
import {
  createTemplate,
  deleteTemplate,
  getTemplate,
  listTemplates,
  submitTemplate,
  TemplateView,
} from "../wire/templates.ts";
import { type StreamOptions, streamJob } from "./job-stream.ts";
import { createTransport, type TransportOptions } from "./transport.ts";

/** A job's input as a caller writes it: what has a default may be left out. */
export type JobInput = z.input<typeof JobSubmission>;
export type Health = z.infer<(typeof getHealth)["responses"][200]["schema"]>;
export type Receipt = z.infer<typeof ReceiptJson>;

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Members of a list's query; absent ones are left out. */
export type ListQuery = Readonly<Record<string, string | number | undefined>>;

export interface SubmitOptions extends CallOptions {
  /** Repeating a call with the same key runs one job. Absent: a random one, for the client's own retries. */
  readonly idempotencyKey?: string;
}

/** The typed client of a daemon. Every method throws AppError; every answer is checked against its schema. */
export interface Client {
  readonly url: string;
  health(options?: CallOptions): Promise<Health>;
  submitJob(job: JobInput, options?: SubmitOptions): Promise<JobView>;
  getJob(jobId: string, options?: CallOptions): Promise<JobView>;
  getResult(jobId: string, options?: CallOptions): Promise<JobResult>;
  cancelJob(jobId: string, options?: CallOptions): Promise<JobView>;
  getReceipt(jobId: string, options?: CallOptions): Promise<Receipt>;
  /** All receipts of a job, one a segment, oldest first; fetched page by page. */
  listReceipts(jobId: string, options?: CallOptions): AsyncGenerator<Receipt, void, undefined>;
  /** The events of a job to its end; see `streamJob`. */
  jobEvents(jobId: string, options?: StreamOptions): AsyncGenerator<JobEvent, void, undefined>;
  /** Waits for the end of a job and returns how it ended. Does not cancel it when the signal aborts. */
  waitForJob(jobId: string, options?: StreamOptions): Promise<EndEvent>;
  /** A page of the caller's jobs, newest first; an administrator's: of all. The query is `JobListQuery`'s. */
  listJobs(query: ListQuery, options?: CallOptions): Promise<JobPage>;
  createTemplate(
    template: { name: string; submission: JobInput },
    options?: CallOptions,
  ): Promise<TemplateView>;
  listTemplates(options?: CallOptions): Promise<readonly TemplateView[]>;
  getTemplate(name: string, options?: CallOptions): Promise<TemplateView>;
  deleteTemplate(name: string, options?: CallOptions): Promise<TemplateView>;
  submitTemplate(
    name: string,
    variables: Readonly<Record<string, string>>,
    options?: SubmitOptions,
  ): Promise<JobView>;
  /** Jobs, miners and the machine now; for every key. */
  status(options?: CallOptions): Promise<Status>;
  adminStats(options?: CallOptions): Promise<Stats>;
  adminJobs(query: ListQuery, options?: CallOptions): Promise<AdminJobPage>;
  adminMiners(query: ListQuery, options?: CallOptions): Promise<AdminMinerPage>;
  /** Keeps a miner from new jobs, or gives it jobs again. */
  setMinerActive(minerId: string, active: boolean, options?: CallOptions): Promise<AdminMiner>;
  /** What a miner ran, newest first; for the key that admitted it. The query is `limit` and `offset`. */
  minerJobs(minerId: string, query: ListQuery, options?: CallOptions): Promise<MinerJobs>;
  /** What a miner earned; for the key that admitted it. */
  minerEarnings(minerId: string, options?: CallOptions): Promise<MinerEarnings>;
  createKey(key: { kind: KeyKind; name: string }, options?: CallOptions): Promise<CreatedKey>;
  listKeys(options?: CallOptions): Promise<readonly KeyView[]>;
  revokeKey(keyId: string, options?: CallOptions): Promise<KeyView>;
}

/** Creates a client. It opens no connection before the first call. */
export function createClient(options: TransportOptions): Client {
  const transport = createTransport(options);
  const { call } = transport;
  const ofJob = (jobId: string, { signal }: CallOptions = {}) => ({ params: { job_id: jobId }, signal });
  const client: Client = {
    url: transport.url,
    health: ({ signal } = {}) => call(getHealth, getHealth.responses[200].schema, { signal }),
    submitJob: (body, { idempotencyKey = randomUUID(), signal } = {}) =>
      call(submitJob, JobView, { body, headers: { "idempotency-key": idempotencyKey }, signal }),
    getJob: (jobId, opts) => call(getJob, JobView, ofJob(jobId, opts)),
    getResult: (jobId, opts) => call(getJobResult, JobResult, ofJob(jobId, opts)),
    cancelJob: (jobId, opts) => call(cancelJob, JobView, ofJob(jobId, opts)),
    getReceipt: (jobId, opts) => call(getJobReceipt, ReceiptJson, ofJob(jobId, opts)),
    async *listReceipts(jobId, opts) {
      let cursor: string | undefined;
      do {
        const page = await call(listJobReceipts, ReceiptPage, { ...ofJob(jobId, opts), query: { cursor } });
        yield* page.items;
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
    },
    jobEvents: (jobId, opts) => streamJob(transport, jobId, opts),
    async waitForJob(jobId, opts) {
      for await (const event of client.jobEvents(jobId, opts)) if (event.event === "end") return event.data;
      const { state, error, delivered_bytes } = await client.getJob(jobId);
      return { state, error, delivered_bytes, finish_reason: null, receipt_id: null };
    },
    listJobs: (query, { signal } = {}) => call(listJobHistory, JobPage, { query, signal }),
    createTemplate: (body, { signal } = {}) => call(createTemplate, TemplateView, { body, signal }),
    listTemplates: async ({ signal } = {}) =>
      (await call(listTemplates, listTemplates.responses[200].schema, { signal })).items,
    getTemplate: (name, { signal } = {}) => call(getTemplate, TemplateView, { params: { name }, signal }),
    deleteTemplate: (name, { signal } = {}) =>
      call(deleteTemplate, TemplateView, { params: { name }, signal }),
    submitTemplate: (name, variables, { idempotencyKey = randomUUID(), signal } = {}) =>
      call(submitTemplate, JobView, {
        params: { name },
        body: { variables },
        headers: { "idempotency-key": idempotencyKey },
        signal,
      }),
    status: ({ signal } = {}) => call(getStatus, Status, { signal }),
    adminStats: ({ signal } = {}) => call(getAdminStats, getAdminStats.responses[200].schema, { signal }),
    adminJobs: (query, { signal } = {}) =>
      call(listAdminJobs, listAdminJobs.responses[200].schema, { query, signal }),
    adminMiners: (query, { signal } = {}) =>
      call(listAdminMiners, listAdminMiners.responses[200].schema, { query, signal }),
    setMinerActive: (minerId, active, { signal } = {}) => {
      const contract = active ? activateMiner : deactivateMiner;
      return call(contract, contract.responses[200].schema, { params: { miner_id: minerId }, signal });
    },
    minerJobs: (minerId, query, { signal } = {}) =>
      call(getMinerJobs, getMinerJobs.responses[200].schema, {
        params: { miner_id: minerId },
        query,
        signal,
      }),
    minerEarnings: (minerId, { signal } = {}) =>
      call(getMinerEarnings, getMinerEarnings.responses[200].schema, {
        params: { miner_id: minerId },
        signal,
      }),
    createKey: (body, { signal } = {}) => call(createKey, CreatedKey, { body, signal }),
    listKeys: async ({ signal } = {}) =>
      (await call(listKeys, listKeys.responses[200].schema, { signal })).items,
    revokeKey: (keyId, { signal } = {}) => call(revokeKey, KeyView, { params: { key_id: keyId }, signal }),
  };
  return client;
}
