import { describe, expect, it } from "vitest";
import { TestClock } from "../../../../test/harness/clock.ts";
import { codeOf } from "../../../../test/harness/database.ts";
import { goodReceipt, jobIdOf } from "../../../../test/harness/receipt-coordinator.ts";
import { openWalletStore } from "../../../../test/harness/wallet-store.ts";
import { createBus } from "../../../kernel/bus.ts";
import type { BusEvents } from "../../../wire/events.ts";
import type { ReceiptPage, ReceiptSource } from "../ports.ts";
import { listEvents } from "../store.ts";
import { ReceiptIngest } from "./ingest.ts";
import { findJobs, listReceipts } from "./store.ts";

const JOB = { jobId: jobIdOf(1), ended: true };
const NEVER = new AbortController().signal;

/** A source that answers with pages of a test's making, and counts how often it was asked. */
function sourceOf(page: (cursor: string | undefined) => ReceiptPage): ReceiptSource & { asked: number } {
  return {
    asked: 0,
    name: "test",
    isLocal: false,
    listJobs: async () => ({ jobs: [], next: undefined }),
    findJob: async () => JOB,
    listKeys: async () => [],
    async listReceipts(_jobId, cursor) {
      this.asked++;
      return page(cursor);
    },
  };
}

async function open() {
  const store = await openWalletStore();
  const errors: unknown[] = [];
  const bus = createBus<BusEvents>((_event, error) => errors.push(error));
  const ingest = new ReceiptIngest({
    store,
    bus,
    clock: new TestClock(),
    minerKeys: [],
    onChecked: () => {},
  });
  return { store, bus, ingest, errors };
}

describe("reading a job's receipts", () => {
  it("tells of it on the bus once everything is committed, and only when something is new", async () => {
    const { store, bus, ingest, errors } = await open();
    const seen: unknown[] = [];
    const committed: Promise<number[]>[] = [];
    bus.on("receipts.verified", (event) => {
      seen.push(event);
      const rows = Promise.all([listReceipts(store.db, JOB.jobId, 0, 9), listEvents(store.db, 0, 9)]);
      committed.push(rows.then((lists) => lists.map((list) => list.length)));
    });
    const source = sourceOf(() => ({ items: [goodReceipt(JOB.jobId)], nextCursor: undefined }));
    await ingest.pull(source, JOB, NEVER);
    await ingest.pull(source, JOB, NEVER);
    expect(seen).toEqual([{ job_id: JOB.jobId, receipts: 1, all_verified: true, failure_reasons: [] }]);
    expect(await Promise.all(committed)).toEqual([[1, 1]]);
    expect(errors).toEqual([]);
  });

  it("is done once, however many ask at the same time", async () => {
    const { store, ingest } = await open();
    const source = sourceOf(() => ({ items: [goodReceipt(JOB.jobId)], nextCursor: undefined }));
    await Promise.all(Array.from({ length: 5 }, () => ingest.pull(source, JOB, NEVER)));
    expect(source.asked).toBe(1);
    expect(await listReceipts(store.db, JOB.jobId, 0, 9)).toHaveLength(1);
  });

  it("ends at a coordinator that lists without end, and keeps no more than one job can have", async () => {
    const { store, ingest } = await open();
    let token = 0;
    const source = sourceOf(() => ({
      items: Array.from({ length: 10 }, () => ({ receipt_id: `made-up-${token++}` })),
      nextCursor: String(token),
    }));
    expect(await codeOf(ingest.pull(source, JOB, NEVER))).toBe("PROTOCOL_VIOLATION");
    expect(source.asked).toBe(200);
    const [row] = await findJobs(store.db, JOB.jobId);
    expect(row).toMatchObject({ receipts: 1000, verified: 0, complete: 0 });
    expect(JSON.parse(row?.failure_reasons ?? "")).toHaveLength(20);
  });

  it("that breaks off keeps what was read", async () => {
    const { store, ingest } = await open();
    const source = sourceOf((cursor) => {
      if (cursor !== undefined) throw new Error("gone");
      return { items: [goodReceipt(JOB.jobId)], nextCursor: "1" };
    });
    await expect(ingest.pull(source, JOB, NEVER)).rejects.toThrow("gone");
    expect(await findJobs(store.db, JOB.jobId)).toMatchObject([{ receipts: 1, cursor: "1", complete: 0 }]);
  });
});
