/**
 * Miners over plain HTTP: the fallback that any client can speak, in the shapes that existing miners send. Such
 * a miner holds no signing key. Members that are not named here are let through and ignored: miners of several
 * versions send more.
 */
import { z } from "zod";
import { route } from "./access.ts";
import { UPLOAD_HINT } from "./artifacts.ts";
import { MAX_GPUS, MAX_MODELS, MAX_SLOTS } from "./limits.ts";
import { DisplayName, JobId, LegacyAit, ModelName } from "./scalars.ts";

/** Longest wait of one poll, in seconds: shorter than the idle limits of common proxies. Longer ones are cut. */
export const MAX_POLL_SECONDS = 25;
/** Longest code and message of a failure, in characters, as in a session's frame. */
const MAX_FAIL_CODE = 64;
const MAX_FAIL_MESSAGE = 512;
/** Longest id in a path, in characters: a name that a miner chose, or an address. */
const MAX_ID = 128;

const Text = z.string().max(MAX_ID);

/** What an existing miner says of its machine. */
export const KeylessCapabilities = z
  .looseObject({
    gpus: z
      .array(
        z.looseObject({
          name: DisplayName,
          memory_mb: z.number().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
        }),
      )
      .max(MAX_GPUS)
      .optional(),
    cuda: z.union([z.string().max(16), z.number()]).nullish(),
    models: z
      .array(z.union([ModelName, z.looseObject({ name: ModelName })]))
      .max(MAX_MODELS)
      .optional()
      .meta({ description: "Names of models; without one there is no job to run" }),
    price: LegacyAit.nullish().meta({ description: "Asking price, in AIT; absent: the coordinator's" }),
  })
  .meta({ description: "What the machine can do; other members are ignored" });
export type KeylessCapabilities = z.infer<typeof KeylessCapabilities>;

const LeaseToken = z
  .int()
  .min(1)
  .optional()
  .meta({ description: "The token that came with the job; absent: the miner's current lease" });

/** Numbers that a miner measured of its own work: looked at by nobody, since the coordinator meters. */
const Metrics = z.unknown().optional().meta({ description: "Ignored: the coordinator meters" });

/** The name that a miner has chosen among those with the same API key. */
const MinerHeaders = z.object({
  "x-miner-id": DisplayName.optional().meta({ description: "Name of the miner; absent: default" }),
});
const JobParams = z.object({ job_id: Text });

const Ok = z.object({ status: z.literal("ok") });

const Registration = z.looseObject({
  capabilities: KeylessCapabilities,
  concurrency: z.int().min(1).max(MAX_SLOTS).default(1),
  region: DisplayName.nullish(),
});
export type Registration = z.infer<typeof Registration>;

export const registerMiner = route({
  method: "POST",
  path: "/v1/miners/register",
  access: ["miner"],
  tag: "Miners",
  summary: "Register a miner that holds no signing key",
  description:
    "Needs `coordinator.allow_keyless_miners`. Registering again replaces what was said before and ends a drain. The receipts of such a miner carry the coordinator's attestation alone.",
  headers: MinerHeaders,
  body: Registration,
  responses: {
    200: {
      description: "Registered",
      schema: Ok.extend({
        session_token: z.string(),
        miner_id: z.string().meta({ description: "How jobs and receipts name the miner" }),
        heartbeat_seconds: z.int(),
        lease_seconds: z.int(),
      }),
    },
  },
});

const Heartbeat = z.looseObject({
  inflight: z.int().min(0).max(MAX_SLOTS).optional().meta({ description: "Jobs that the miner works on" }),
  status: z.string().max(32).optional(),
  metadata: z.unknown().optional(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

export const HeldLease = z.object({ job_id: JobId, lease_token: z.int() });
export type HeldLease = z.infer<typeof HeldLease>;

export const minerHeartbeat = route({
  method: "POST",
  path: "/v1/miners/heartbeat",
  access: ["miner"],
  tag: "Miners",
  summary: "Say that a miner lives, and renew its leases",
  description:
    "Renews as many leases as `inflight` says, begun ones first, then the newest; all of them when it is absent.",
  headers: MinerHeaders,
  body: Heartbeat,
  responses: {
    200: {
      description: "The leases that still hold: work on any other job is in vain",
      schema: Ok.extend({ leases: z.array(HeldLease) }),
    },
  },
});

/** Any JSON object. */
export const JsonObject = z.record(z.string(), z.unknown());

/** A job as it is handed to a miner without a key. */
export const Assignment = z.object({
  job_id: JobId,
  lease_token: z.int().min(1),
  payload: JsonObject,
  constraints: JsonObject,
  terms: JsonObject.meta({ description: "What is paid, how it is metered, and the limits" }),
  lease_seconds: z.int().meta({ description: "The lease is lost this long after the last heartbeat" }),
  deadline_seconds: z.int().meta({ description: "How long the job may run" }),
});
export type Assignment = z.infer<typeof Assignment>;

export const pollJob = route({
  method: "POST",
  path: "/v1/miners/poll",
  access: ["miner"],
  tag: "Miners",
  summary: "Wait for a job",
  description: `Answers at once when a job that fits is queued, with 204 after \`max_wait_seconds\` (at most ${MAX_POLL_SECONDS}) without one.`,
  headers: MinerHeaders,
  body: z.looseObject({ max_wait_seconds: z.number().min(0).max(3600).default(0) }),
  responses: {
    200: { description: "A job, under a lease of this miner", schema: Assignment },
    204: { description: "No job came" },
  },
});

export const startJob = route({
  method: "POST",
  path: "/v1/miners/:job_id/start",
  access: ["miner"],
  tag: "Miners",
  summary: "Begin to work on a job",
  headers: MinerHeaders,
  params: JobParams,
  query: z.object({ lease_token: z.coerce.number().int().min(1).optional() }),
  responses: { 200: { description: "Begun", schema: Ok } },
});

const ResultBody = z.looseObject({
  result: z
    .unknown()
    .refine((value) => value !== undefined, "is missing")
    .meta({
      description:
        'The answer: a text, or an object whose `text`, `output` or `response` is one; the canonical JSON of anything else is the text. A larger answer is uploaded first and named: `{"artifact": "sha256:…"}`',
    }),
  metrics: Metrics,
  lease_token: LeaseToken,
});
export type ResultBody = z.infer<typeof ResultBody>;

export const submitResult = route({
  method: "POST",
  path: "/v1/miners/:job_id/result",
  access: ["miner"],
  tag: "Miners",
  summary: "Hand in the result of a job",
  description:
    "409 for a second or late result and for another miner's job; the same result under the same `lease_token` is answered again.",
  headers: MinerHeaders,
  params: JobParams,
  body: ResultBody,
  tooLargeHint: UPLOAD_HINT,
  responses: {
    200: { description: "Accepted", schema: Ok.extend({ receipt: JsonObject }) },
  },
});

const FailBody = z.looseObject({
  error_code: z.string().min(1).max(MAX_FAIL_CODE),
  error_message: z.string().max(MAX_FAIL_MESSAGE).default(""),
  retryable: z.boolean().default(true).meta({ description: "Whether another miner may try" }),
  metrics: Metrics,
  lease_token: LeaseToken,
});
export type FailBody = z.infer<typeof FailBody>;

export const failJob = route({
  method: "POST",
  path: "/v1/miners/:job_id/fail",
  access: ["miner"],
  tag: "Miners",
  summary: "Give a job up",
  description: "The job's error reads `CODE: message`. It waits for another attempt while any remain.",
  headers: MinerHeaders,
  params: JobParams,
  body: FailBody,
  responses: { 200: { description: "Noted", schema: Ok } },
});

export const drainMiner = route({
  method: "POST",
  path: "/v1/miners/drain",
  access: ["miner"],
  tag: "Miners",
  summary: "Take no new jobs",
  description:
    "Running jobs go on; polls are answered with 204. Ends with the next registration. X-Miner-ID may also be the id of a miner with a key of its own, as in `/v1/miners/{miner_id}/drain`.",
  headers: MinerHeaders,
  responses: { 200: { description: "Draining", schema: Ok.extend({ leases: z.array(HeldLease) }) } },
});

/** Frames of a miner's WebSocket. */
export const KeylessFrame = z.discriminatedUnion("type", [
  Heartbeat.extend({ type: z.literal("heartbeat") }),
  z.looseObject({ type: z.literal("start"), job_id: Text, lease_token: LeaseToken }),
  ResultBody.extend({ type: z.literal("result"), job_id: Text }),
  FailBody.extend({ type: z.literal("fail"), job_id: Text }),
  z.looseObject({ type: z.literal("drain") }),
]);
export type KeylessFrame = z.infer<typeof KeylessFrame>;

export const minerSocket = route({
  method: "GET",
  path: "/v1/ws/miner",
  access: ["miner"],
  tag: "Miners",
  summary: "A registered miner's WebSocket",
  description:
    "The server sends `job.assigned` with the members of a poll's answer; the miner sends `heartbeat`, `start`, `result`, `fail` and `drain` with the members of those calls, and gets `<type>.ok` or `error` back.",
  headers: MinerHeaders,
  responses: { 101: { description: "Switching to WebSocket" } },
});

export const clientSocket = route({
  method: "GET",
  path: "/v1/ws/client",
  access: ["client", "admin"],
  tag: "Jobs",
  summary: "A job's changes as a WebSocket",
  description: "Sends `state.changed` with each state, `result.ready` when the job has ended, and closes.",
  query: z.object({ job_id: Text }),
  responses: { 101: { description: "Switching to WebSocket" } },
});

export const KEYLESS_ROUTES = [
  registerMiner,
  minerHeartbeat,
  pollJob,
  startJob,
  submitResult,
  failJob,
  drainMiner,
  minerSocket,
  clientSocket,
] as const;
