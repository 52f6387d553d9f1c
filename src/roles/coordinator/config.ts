import { z } from "zod";
import { MAX_OUTPUT_BYTES } from "../../wire/limits.ts";

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
    .meta({ description: "Largest output of one job" }),
  max_queued_jobs: z
    .int()
    .min(1)
    .default(2_000_000)
    .meta({ description: "Jobs that may wait at once; more are refused with 429" }),
  max_streams: z
    .int()
    .min(1)
    .max(100_000)
    .default(2_000)
    .meta({ description: "Readers of job streams at once; more are refused with 429" }),
  allow_keyless_miners: z.boolean().default(false).meta({
    description: "Admit miners that hold no signing key; their receipts carry this coordinator's word alone",
  }),
  max_sessions: z.int().min(1).max(100_000).default(2_000).meta({ description: "Miners connected at once" }),
});
export type CoordinatorConfig = z.infer<typeof CoordinatorConfig>;
