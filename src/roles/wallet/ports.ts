import type { Kysely } from "kysely";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RunOperation } from "../../kernel/db/database.ts";
import type { Ids, RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { BusEvents } from "../../wire/events.ts";
import type { Keystore } from "./keystore/keystore.ts";
import type { Signer } from "./signer/signer.ts";
import type { WalletTables } from "./tables.ts";

/** The store as the wallet uses it: reads through `db`, writes in operations. */
export interface Store {
  readonly db: Kysely<WalletTables>;
  readonly operation: RunOperation<Kysely<WalletTables>>;
}

/** A page of a job's receipts, oldest first, each as the JSON that the coordinator sent. */
export interface ReceiptPage {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly nextCursor: string | undefined;
}

/** A job as a coordinator lists it. */
export interface SeenJob {
  readonly jobId: string;
  /** Whether it can get no further receipts. */
  readonly ended: boolean;
}

/**
 * What the wallet asks of a coordinator, wherever that runs. All calls end when the signal aborts.
 * @throws AppError UNREACHABLE, TIMEOUT, UNAUTHORIZED_KEY and what else a call of a coordinator throws
 */
export interface ReceiptSource {
  /** Where it is, for people; the same at every start. */
  readonly name: string;
  /** Whether it is in this process, whose bus tells of new receipts. */
  readonly isLocal: boolean;
  /** Jobs of the caller, newest first; `before` goes on after a page. */
  listJobs(
    before: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly jobs: readonly SeenJob[]; readonly next: string | undefined }>;
  /** Undefined for a job that is not the caller's, or is unknown there. */
  findJob(jobId: string, signal: AbortSignal): Promise<SeenJob | undefined>;
  listReceipts(jobId: string, cursor: string | undefined, signal: AbortSignal): Promise<ReceiptPage>;
  /** Keys that this coordinator's attestations are to be signed with, as receipts write them. */
  listKeys(): Promise<readonly string[]>;
}

/** What the wallet needs from its surroundings. */
export interface WalletDeps {
  readonly store: Store;
  readonly bus: Bus<BusEvents>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: RandomBytes;
  /** File of the token that every call must show; made at the first start. */
  readonly tokenFile: string;
  readonly keystore: Keystore;
  readonly signer: Signer;
  /** Where receipts are read. */
  readonly sources: readonly ReceiptSource[];
  readonly version: string;
}
