/** The calls that name a miner: of the one that holds the API key which admitted it, and of administrators. */
import { z } from "zod";
import { route } from "./access.ts";
import { AdminMiner } from "./admin.ts";
import { MAX_PAGE } from "./limits.ts";
import { HeldLease, JsonObject, KeylessCapabilities } from "./miners.ts";
import { JobId } from "./scalars.ts";

/** Longest id in a path, in characters: a name that a miner chose, or an address. */
const MAX_ID = 128;
/** Pages of a miner's jobs begin at most here. */
const MAX_OFFSET = 10_000;

const owners = ["miner", "admin"] as const;
const tag = "Miners";
const params = z.object({
  miner_id: z.string().max(MAX_ID).meta({
    description: "The name of X-Miner-ID, or the id that registration answered; of administrators the id",
  }),
});

/** What a miner said of its machine. Not strict: a newer coordinator may say more. */
const MachineView = z.object({
  gpus: z.array(z.object({ name: z.string(), memory_mb: z.int() })),
  cuda: z.string().nullable(),
  cpu: z.object({ name: z.string(), cores: z.int() }),
  memory_mb: z.int(),
  models: z.array(
    z.object({
      name: z.string(),
      engine: z.string(),
      digest: z.string(),
      context_tokens: z.int(),
      tokens_per_second: z.int().nullable().meta({ description: "As the miner measured it" }),
      load_ms: z.int().nullable().meta({ description: "How long the model takes to load, as measured" }),
      loaded: z.boolean().nullable().meta({ description: "Whether it is in memory; null: not known" }),
    }),
  ),
  price: z.number().nullable().meta({ description: "Asking price, in AIT; null: the coordinator's" }),
});

/** A miner as its owner sees it. */
export const MinerView = AdminMiner.extend({
  jobs: z.array(HeldLease).meta({ description: "The leases that it holds now" }),
  capabilities: MachineView.nullable().meta({ description: "null while it is offline" }),
});
export type MinerView = z.infer<typeof MinerView>;

export const getMiner = route({
  method: "GET",
  path: "/v1/miners/:miner_id",
  access: owners,
  tag,
  summary: "How a miner stands, and why it gets no work",
  params,
  responses: { 200: { description: "The miner", schema: MinerView } },
});

export const drainMinerById = route({
  ...getMiner,
  method: "POST",
  path: "/v1/miners/:miner_id/drain",
  summary: "Keep a miner from new jobs; running ones go on",
  description:
    "Holds until `activate`, also over a new session and a restart; for a miner without a key until its next registration.",
});

export const activateMinerById = route({
  ...getMiner,
  method: "POST",
  path: "/v1/miners/:miner_id/activate",
  summary: "End a drain",
  description: "Neither a quarantine nor what an administrator decided ends with it.",
});

export const updateCapabilities = route({
  method: "PUT",
  path: "/v1/miners/:miner_id/capabilities",
  access: ["miner"],
  tag,
  summary: "Replace what a miner can do",
  description: "The body is the capabilities, or an object with a member `capabilities`.",
  params,
  body: KeylessCapabilities.extend({ capabilities: KeylessCapabilities.optional() }),
  responses: {
    200: {
      description: "In force for the next job",
      schema: z.object({
        miner_id: z.string(),
        status: z.literal("updated"),
        capabilities: JsonObject,
        session_token: z.string(),
      }),
    },
  },
});

const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  offset: z.coerce.number().int().min(0).max(MAX_OFFSET).default(0),
});

const MinerJobs = z.object({
  jobs: z.array(
    z.object({
      job_id: JobId,
      lease_token: z.int(),
      kind: z.string(),
      model: z.string().nullable(),
      state: z.string().meta({ description: "RUNNING, or how the lease ended" }),
      started_at: z.string(),
      completed_at: z.string().nullable(),
      units: z.int(),
      price_uait: z.string(),
      receipt_id: z.string().nullable(),
    }),
  ),
  total: z.int(),
  limit: z.int(),
  offset: z.int(),
  miner_id: z.string(),
});
export type MinerJobs = z.infer<typeof MinerJobs>;

export const listMinerJobs = route({
  method: "POST",
  path: "/v1/miners/:miner_id/jobs",
  access: owners,
  tag,
  summary: "What a miner ran, newest first",
  params,
  query: pageQuery,
  responses: { 200: { description: "A page of leases", schema: MinerJobs } },
});
export const getMinerJobs = route({ ...listMinerJobs, method: "GET" });

const MinerEarnings = z.object({
  miner_id: z.string(),
  total_earnings: z.number().meta({ description: "Everything earned here, in AIT" }),
  pending_earnings: z.number().meta({ description: "What of it is not paid out yet, in AIT" }),
  total_earnings_uait: z.string(),
  pending_earnings_uait: z.string(),
  completed_jobs: z.int(),
  currency: z.literal("AITBC"),
  from_time: z.string().nullable(),
  to_time: z.string(),
  earnings_history: z.array(
    z.object({ date: z.string(), amount: z.number(), amount_uait: z.string(), jobs: z.int() }),
  ),
});
export type MinerEarnings = z.infer<typeof MinerEarnings>;

export const listMinerEarnings = route({
  method: "POST",
  path: "/v1/miners/:miner_id/earnings",
  access: owners,
  tag,
  summary: "What a miner earned",
  params,
  responses: { 200: { description: "Totals, and the last days that had any", schema: MinerEarnings } },
});
export const getMinerEarnings = route({ ...listMinerEarnings, method: "GET" });

export const deregisterMiner = route({
  method: "DELETE",
  path: "/v1/miners/:miner_id",
  access: ["miner"],
  tag,
  summary: "Take a miner out",
  description: "Its running jobs are given to others at once.",
  params,
  responses: {
    200: {
      description: "Gone",
      schema: z.object({ miner_id: z.string(), status: z.literal("deregistered") }),
    },
  },
});

/** Routes that name a miner. Paths with fixed parts come before them. */
export const MINER_ACCOUNT_ROUTES = [
  getMiner,
  drainMinerById,
  activateMinerById,
  updateCapabilities,
  listMinerJobs,
  getMinerJobs,
  listMinerEarnings,
  getMinerEarnings,
  deregisterMiner,
] as const;
