import { describe, expect, it } from "vitest";
import {
  accept,
  claimLease,
  committedJob,
  committedRows,
  IDENTITY,
  openCoordinatorStore,
  queueJob,
} from "../../../test/harness/coordinator-store.ts";
import { codeOf } from "../../../test/harness/database.ts";
import { MINER_KEY } from "../../../test/harness/receipts.ts";
import { addressOfKey } from "../../crypto/address.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { buildReceipt } from "../../domain/receipt/build.ts";
import type { Receipt } from "../../domain/receipt/fields.ts";
import { signReceipt } from "../../domain/receipt/sign.ts";
import { createBus } from "../../kernel/bus.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { systemRandomBytes } from "../../kernel/ids.ts";
import type { BusEvents } from "../../wire/events.ts";
import { CoordinatorConfig } from "./config.ts";
import { FairShare } from "./fair-share.ts";
import type { Lease } from "./lease.ts";
import { Leases } from "./leases.ts";
import { MinerHealth } from "./miner-health.ts";
import { Requirements } from "./requirements.ts";
import { Settlement } from "./settlement.ts";
import { Streams } from "./streams.ts";

const MINER_ID = addressOfKey(MINER_KEY.publicKey);
const TEXT = "Because air scatters blue light.";

/** A running job whose miner has delivered TEXT, not yet stored. */
async function openDelivered() {
  const store = await openCoordinatorStore();
  const jobId = await queueJob(store);
  const lease = await claimLease(store, jobId, MINER_ID);
  accept(lease, TEXT);
  const unsettled: string[] = [];
  const told: string[] = [];
  const bus = createBus<BusEvents>(() => {});
  bus.on("job.ended", ({ state }) => told.push(state));
  bus.on("receipt.issued", () => told.push("receipt"));
  const clock = createSystemClock();
  const settlement = new Settlement({
    store,
    bus,
    clock,
    health: new MinerHealth(clock),
    fair: new FairShare(store, CoordinatorConfig.parse({})),
    requirements: new Requirements(store, clock),
    random: systemRandomBytes,
    identity: IDENTITY,
    streams: new Streams(),
    leases: new Leases(),
    backlog: { queued: 0 },
    onUnsettled: (id) => unsettled.push(id),
  });
  return { store, jobId, lease, settlement, unsettled, told };
}

/** The receipt that is due, signed by the miner after it was changed. */
function receiptOf(lease: Lease, change: (receipt: Receipt) => Receipt = (receipt) => receipt): Receipt {
  const due = buildReceipt(lease.terms, {
    provider: MINER_ID,
    endsJob: true,
    outcome: "completed",
    end_byte: lease.acceptedBytes,
    delivered_units: lease.deliveredUnits,
    segment_sha256: sha256Hex(TEXT),
    output_sha256: sha256Hex(TEXT),
    completed_at: lease.terms.started_at,
    duration_ms: 1,
  });
  return signReceipt(change(due), MINER_KEY);
}

const completionOf = (receipt: Receipt) => ({
  finish_reason: "stop",
  usage: { prompt_tokens: 1, completion_tokens: 1 },
  receipt,
});

describe("a completion", () => {
  it("writes state, text, segment and receipt", async () => {
    const { store, jobId, lease, settlement, told } = await openDelivered();
    await settlement.complete(lease, completionOf(receiptOf(lease)), MINER_KEY.publicKey);
    expect(committedJob(store, jobId)).toMatchObject({ state: "COMPLETED", delivered_bytes: TEXT.length });
    expect(committedRows(store, "chunk", jobId)).toBe(1);
    expect(committedRows(store, "receipt", jobId)).toBe(1);
    expect(told).toEqual(["receipt", "COMPLETED"]);
  });

  it("changes nothing, and is told to nobody, when its receipt cannot be stored", async () => {
    const { store, jobId, lease, settlement, unsettled, told } = await openDelivered();
    const receipt = receiptOf(lease);
    // Another job's receipt holds the id: the insertion fails after everything else of the ending was written.
    await store.operation((tx) =>
      tx
        .insertInto("coordinator_receipt")
        .values({
          receipt_id: receipt.receipt_id,
          job_id: "other",
          token: 1,
          hash: "other",
          start_byte: 0,
          end_byte: 0,
          units: 0,
          price_uait: 0n,
          document: "{}",
          issued_at: 0,
        })
        .execute(),
    );
    const completing = settlement.complete(lease, completionOf(receipt), MINER_KEY.publicKey);
    await expect(completing).rejects.toThrow("UNIQUE constraint failed");
    expect(committedJob(store, jobId)).toMatchObject({
      state: "RUNNING",
      delivered_bytes: 0,
      settled_units: 0,
    });
    expect(committedRows(store, "chunk", jobId)).toBe(0);
    expect(told).toEqual([]);
    expect(unsettled).toEqual([jobId]);
  });

  it.each<[string, (receipt: Receipt) => Receipt]>([
    ["price", (receipt) => ({ ...receipt, price: receipt.price + 1 })],
    ["units", (receipt) => ({ ...receipt, units: receipt.units + 1 })],
    ["client", (receipt) => ({ ...receipt, client: "client-2" })],
    ["prompt_hash", (receipt) => ({ ...receipt, prompt_hash: `sha256:${"0".repeat(64)}` })],
    ["artifact_hash", (receipt) => ({ ...receipt, artifact_hash: `sha256:${"0".repeat(64)}` })],
    ["end_byte", (receipt) => ({ ...receipt, metadata: { ...receipt.metadata, end_byte: 1 } })],
    [
      "terms_hash",
      (receipt) => ({ ...receipt, metadata: { ...receipt.metadata, terms_hash: "0".repeat(64) } }),
    ],
  ])("is refused when the miner signed another %s than the terms give", async (_member, change) => {
    const { store, jobId, lease, settlement } = await openDelivered();
    const completing = settlement.complete(
      lease,
      completionOf(receiptOf(lease, change)),
      MINER_KEY.publicKey,
    );
    expect(await codeOf(completing)).toBe("INVALID_RECEIPT");
    expect(committedJob(store, jobId)).toMatchObject({ state: "RUNNING" });
    expect(lease.ended).toBe(false);
  });
});

describe("a lost lease", () => {
  it("settles what was delivered and queues the job again, in one step", async () => {
    const { store, jobId, lease, settlement } = await openDelivered();
    const state = await settlement.fail(lease, { outcome: "lease_lost", error: "LEASE_LOST", retry: true });
    expect(state).toBe("QUEUED");
    expect(committedJob(store, jobId)).toMatchObject({ state: "QUEUED", delivered_bytes: TEXT.length });
    expect(committedRows(store, "receipt", jobId)).toBe(1);
    expect(committedRows(store, "queue", jobId)).toBe(1);
  });
});
