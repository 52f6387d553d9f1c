import { randomUUID } from "node:crypto";
import type { z } from "zod";
import { AppError } from "../kernel/errors.ts";
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
import { getArtifact } from "../wire/artifacts.ts";
import { explainJob, JobExplanation } from "../wire/explain.ts";
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
import {
  activateMinerById,
  drainMinerById,
  getMiner,
  getMinerEarnings,
  getMinerJobs,
  type MinerEarnings,
  type MinerJobs,
  MinerView,
} from "../wire/miner-accounts.ts";
import { listOpenAiModels, type OpenAiModel } from "../wire/openai/models.ts";
import { CreatedKey, createKey, getHealth, KeyView, listKeys, revokeKey } from "../wire/system.ts";
import {
  createTemplate,
  deleteTemplate,
  getTemplate,
  listTemplates,
  submitTemplate,
  TemplateView,
} from "../wire/templates.ts";
import { type ArtifactCalls, createArtifactCalls } from "./artifacts.ts";
import { type BatchCalls, createBatchCalls } from "./batches.ts";
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
  /** Why a job went to its miner, or why it waits. */
  explainJob(jobId: string, options?: CallOptions): Promise<JobExplanation>;
  getResult(jobId: string, options?: CallOptions): Promise<JobResult>;
  cancelJob(jobId: string, options?: CallOptions): Promise<JobView>;
  getReceipt(jobId: string, options?: CallOptions): Promise<Receipt>;
  /** All receipts of a job, one a segment, oldest first; fetched page by page. */
  listReceipts(jobId: string, options?: CallOptions): AsyncGenerator<Receipt, void, undefined>;
  /** The events of a job to its end; see `streamJob`. */
  jobEvents(jobId: string, options?: StreamOptions): AsyncGenerator<JobEvent, void, undefined>;
  /** Waits for the end of a job and returns how it ended. Does not cancel it when the signal aborts. */
  waitForJob(jobId: string, options?: StreamOptions): Promise<EndEvent>;
  /** The content of an artifact, read as it is taken; the signal ends the download too. */
  openArtifact(sha256: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /** A page of the caller's jobs, newest first; an administrator's: of all. The query is `JobListQuery`'s. */
  listJobs(query: ListQuery, options?: CallOptions): Promise<JobPage>;
  createTemplate(
    template: { name: string; submission: JobInput },
    options?: CallOptions,
  ): Promise<TemplateView>;
  /** The models that miners offer now. */
  listModels(options?: CallOptions): Promise<readonly OpenAiModel[]>;
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
  /** How a miner stands; for the key that admitted it, or an administrator's, as the three below. */
  getMiner(minerId: string, options?: CallOptions): Promise<MinerView>;
  /** Keeps one's own miner from new jobs, or ends that. */
  setMinerDraining(minerId: string, draining: boolean, options?: CallOptions): Promise<MinerView>;
  /** What a miner ran, newest first. The query is `limit` and `offset`. */
  minerJobs(minerId: string, query: ListQuery, options?: CallOptions): Promise<MinerJobs>;
  /** What a miner earned. */
  minerEarnings(minerId: string, options?: CallOptions): Promise<MinerEarnings>;
  /** Content under its SHA-256. */
  readonly artifacts: ArtifactCalls;
  /** Files of calls, and their batches. */
  readonly batches: BatchCalls;
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
    explainJob: (jobId, opts) => call(explainJob, JobExplanation, ofJob(jobId, opts)),
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
      const { state, error, delivered_bytes, units } = await client.getJob(jobId);
      return { state, error, delivered_bytes, units, finish_reason: null, receipt_id: null, usage: null };
    },
    async openArtifact(sha256, signal) {
      const { body } = await transport.open(getArtifact, { params: { sha256 }, signal });
      if (body) return body;
      throw new AppError("PROTOCOL_VIOLATION", "the server sent no content");
    },
    listJobs: (query, { signal } = {}) => call(listJobHistory, JobPage, { query, signal }),
    createTemplate: (body, { signal } = {}) => call(createTemplate, TemplateView, { body, signal }),
    listModels: async ({ signal } = {}) =>
      (await call(listOpenAiModels, listOpenAiModels.responses[200].schema, { signal })).data,
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
    getMiner: (minerId, { signal } = {}) =>
      call(getMiner, MinerView, { params: { miner_id: minerId }, signal }),
    setMinerDraining: (minerId, draining, { signal } = {}) =>
      call(draining ? drainMinerById : activateMinerById, MinerView, {
        params: { miner_id: minerId },
        signal,
      }),
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
    artifacts: createArtifactCalls(transport),
    batches: createBatchCalls(transport),
    createKey: (body, { signal } = {}) => call(createKey, CreatedKey, { body, signal }),
    listKeys: async ({ signal } = {}) =>
      (await call(listKeys, listKeys.responses[200].schema, { signal })).items,
    revokeKey: (keyId, { signal } = {}) => call(revokeKey, KeyView, { params: { key_id: keyId }, signal }),
  };
  return client;
}
