import { z } from "zod";
import { MAX_WEIGHT } from "../../domain/job/fair.ts";
import { MAX_OUTPUT_BYTES } from "../../wire/limits.ts";

const GIB = 1024 ** 3;
/** Bound of all sizes: far beyond any disk, and within the integers of JSON. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/** What may be uploaded, and how long it is kept. */
const ArtifactsConfig = z.strictObject({
  max_bytes: z.int().min(1).max(MAX_BYTES).default(GIB).meta({ description: "Largest artifact, in bytes" }),
  owner_quota_bytes: z
    .int()
    .min(1)
    .max(MAX_BYTES)
    .default(4 * GIB)
    .meta({ description: "What one owner may keep, in bytes; each artifact counts at least 4096" }),
  total_quota_bytes: z
    .int()
    .min(1)
    .max(MAX_BYTES)
    .default(16 * GIB)
    .meta({ description: "What all owners may keep together, in bytes" }),
  keep_hours: z
    .int()
    .min(1)
    .max(87_600)
    .default(168)
    .meta({ description: "How long an artifact is kept after its upload or the end of its job" }),
});
export type ArtifactsConfig = z.infer<typeof ArtifactsConfig>;

/** Most jobs of one client that may be let run at once. */
const MOST_RUNNING = 1_000_000;

/** What one client may have of the miners. */
const ClientShare = z.strictObject({
  weight: z.int().min(1).max(MAX_WEIGHT).default(1),
  max_running: z.int().min(1).max(MOST_RUNNING).nullable().default(null),
});

/** The coordinator's section of the configuration. */
export const CoordinatorConfig = z.strictObject({
  lease_seconds: z
    .int()
    .min(1)
    .max(600)
    .default(30)
    .meta({ description: "A lease without a sign of life is lost after this time" }),
  heartbeat_seconds: z
    .int()
    .min(1)
    .max(60)
    .default(10)
    .meta({ description: "How often a miner says that it lives" }),
  reconnect_grace_seconds: z
    .int()
    .min(0)
    .max(600)
    .default(5)
    .meta({ description: "How long a miner whose connection broke keeps its leases" }),
  price_uait_per_million_units: z
    .int()
    .min(0)
    .max(1_000_000_000_000)
    .default(200_000)
    .meta({ description: "Price of 1,000,000 units, in µAIT" }),
  max_output_bytes: z
    .int()
    .min(1)
    .max(MAX_OUTPUT_BYTES)
    .default(MAX_OUTPUT_BYTES)
    .meta({ description: "Largest output of one job; a result over 1 MiB is an artifact" }),
  max_queued_jobs: z
    .int()
    .min(1)
    .default(2_000_000)
    .meta({ description: "Jobs that may wait at once; more are refused with 429" }),
  max_running_per_client: z
    .int()
    .min(1)
    .max(MOST_RUNNING)
    .nullable()
    .default(null)
    .meta({ description: "Jobs of one client that run at once; null: as many as there are miners for" }),
  client_shares: z.record(z.string().min(1).max(255), ClientShare).default({}).meta({
    description:
      'Shares of clients, by `client-` and the id of their key: {"client-…": {"weight": 2, "max_running": 8}}',
  }),
  max_streams: z
    .int()
    .min(1)
    .max(100_000)
    .default(2_000)
    .meta({ description: "Readers of job streams at once; more are refused with 429" }),
  allow_keyless_miners: z.boolean().default(false).meta({
    description: "Admit miners that hold no signing key; their receipts carry this coordinator's word alone",
  }),
  artifacts: ArtifactsConfig.prefault({}),
  max_sessions: z.int().min(1).max(100_000).default(2_000).meta({ description: "Miners connected at once" }),
});
export type CoordinatorConfig = z.infer<typeof CoordinatorConfig>;
