import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { onTestFinished } from "vitest";
import { addressOfKey } from "../../src/crypto/address.ts";
import { utf8Length } from "../../src/crypto/bytes.ts";
import { BYTES_ONLY } from "../../src/domain/job/meters.ts";
import { type Database, openDatabase } from "../../src/kernel/db/database.ts";
import { migrate } from "../../src/kernel/db/migrate.ts";
import { claimJob } from "../../src/roles/coordinator/claim.ts";
import { type CoordinatorTables, coordinator } from "../../src/roles/coordinator/index.ts";
import { Lease } from "../../src/roles/coordinator/lease.ts";
import { insertJobs, type NewJob } from "../../src/roles/coordinator/store/jobs.ts";
import type { JobTable } from "../../src/roles/coordinator/tables.ts";
import { freshDirectory } from "./database.ts";
import { COORDINATOR_KEY, REALM } from "./receipts.ts";

/** The coordinator's tables in a real database, and a second connection that sees only what is committed. */
export interface CoordinatorStore extends Database<CoordinatorTables> {
  readonly witness: Sqlite.Database;
}

export async function openCoordinatorStore(): Promise<CoordinatorStore> {
  const path = join(freshDirectory(), "coordinator.db");
  const onFatal = (error: Error): void => {
    throw error;
  };
  const database = openDatabase<CoordinatorTables>({ path, onFatal });
  onTestFinished(() => database[Symbol.asyncDispose]());
  await migrate(database, coordinator.migrations);
  const witness = new Sqlite(path, { readonly: true });
  onTestFinished(() => void witness.close());
  return { ...database, witness };
}

/** The coordinator that signs in these tests. */
export const IDENTITY = {
  id: addressOfKey(COORDINATOR_KEY.publicKey),
  secretKey: COORDINATOR_KEY,
  publicKey: COORDINATOR_KEY.publicKey,
  realm: REALM,
};

const PAYLOAD = '{"model":"test","prompt":"hello","type":"inference"}';

/** A job as it is submitted now. */
export function newJob(jobId: string): NewJob {
  const now = Date.now();
  return {
    job_id: jobId,
    client_id: "client-1",
    kind: "inference",
    model: "test",
    payload: PAYLOAD,
    constraints: "{}",
    requirement_id: 1,
    priority: 1,
    max_attempts: 3,
    max_run_ms: 600_000,
    requested_at: now,
    expires_at: now + 60_000,
    unit_price: 200_000,
  };
}

/** Stores a job that waits, as a submission does. */
export async function queueJob(
  store: Pick<CoordinatorStore, "operation">,
  jobId = "0".repeat(32),
): Promise<string> {
  await store.operation((tx) =>
    insertJobs(tx, [{ job: newJob(jobId), place: { client_number: 0, order_key: 0 } }]),
  );
  return jobId;
}

/** Claims a waiting job for a miner, as the dispatcher does; leases hold until the test ends. */
export async function claimLease(store: CoordinatorStore, jobId: string, minerId: string): Promise<Lease> {
  const claimed = await claimJob(store, jobId, {
    minerId,
    models: [{ name: "test", features: ["text"], context_tokens: 4096 }],
    digestOf: () => "",
    meters: BYTES_ONLY,
    instance: "test",
    coordinatorId: IDENTITY.id,
    maxOutputBytes: 65_536,
    now: Date.now(),
    nonce: "00ff",
  });
  if (!claimed) throw new Error(`job ${jobId} does not wait`);
  const now = performance.now();
  const { job, terms, termsHash, meter, prefix } = claimed;
  const never = Number.POSITIVE_INFINITY;
  return new Lease({
    job,
    terms,
    termsHash,
    meter,
    payout: null,
    grantedAt: now,
    expiresAt: never,
    deadlineAt: never,
    prefix,
  });
}

/** Hands text to a lease, as a chunk frame does. */
export function accept(lease: Lease, text: string): void {
  lease.accept(text, utf8Length(text));
}

/** The job's row as it is committed. */
export function committedJob(store: CoordinatorStore, jobId: string): JobTable | undefined {
  return store.witness
    .prepare<[string], JobTable>("select * from coordinator_job where job_id = ?")
    .get(jobId);
}

/** Number of committed rows of a table that belong to a job. */
export function committedRows(
  store: CoordinatorStore,
  table: "chunk" | "receipt" | "queue",
  jobId: string,
): number {
  const sql = `select count(*) from coordinator_${table} where job_id = ?`;
  return Number(store.witness.prepare(sql).pluck().get(jobId));
}
