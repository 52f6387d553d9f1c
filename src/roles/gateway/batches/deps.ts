import type { Files } from "../files/files.ts";
import type { GatewayDeps } from "../ports.ts";
import type { BatchMetrics } from "./metrics.ts";
import type { Pump } from "./pump.ts";

/** Who waits for the ends of jobs. */
export interface EndListener {
  ended(jobId: string, state: string): void;
}

/** What a running batch needs. */
export interface RunDeps extends GatewayDeps {
  readonly files: Files;
  readonly pump: Pump;
  readonly batchMetrics: BatchMetrics;
  /** Which batch waits for a job's end. */
  readonly waiting: Map<string, EndListener>;
  /** One input is read at a time. */
  readonly oneByOne: <T>(work: () => Promise<T>) => Promise<T>;
}
