import { describe, expect, it } from "vitest";
import {
  accept,
  claimLease,
  committedRows,
  openCoordinatorStore,
  queueJob,
} from "../../../test/harness/coordinator-store.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { createLog } from "../../kernel/log.ts";
import { Delivery } from "./delivery.ts";
import type { Lease } from "./lease.ts";
import { CHUNK_PAGE_BYTES, MAX_FLUSHES_AT_ONCE, MAX_PIECES_APART, MAX_STORED_CHARACTERS } from "./limits.ts";
import type { Store } from "./ports.ts";
import { listChunks } from "./store/delivery.ts";
import { markLeaseEnded } from "./store/jobs.ts";
import type { PortionRows } from "./store/portions.ts";
import { Streams } from "./streams.ts";

async function openDelivery(onOperation: (args: readonly unknown[]) => void = () => {}) {
  const store = await openCoordinatorStore();
  const run: Store["operation"] = (body, ...args) => {
    const ended = store.operation(body, ...args);
    onOperation(args);
    return ended;
  };
  const streams = new Streams();
  const fenced: Lease[] = [];
  const log = createLog({ level: "silent", format: "json", terminal: false });
  const delivery = new Delivery({
    store: { db: store.db, operation: run },
    streams,
    clock: createSystemClock(),
    log,
    onFenced(lease) {
      lease.ended = true;
      fenced.push(lease);
    },
  });
  const jobId = await queueJob(store);
  streams.attach(jobId);
  return { store, streams, fenced, delivery, jobId, lease: await claimLease(store, jobId, "miner-1") };
}

describe("delivered text", () => {
  it("is shown to a reader only when another connection can read it", async () => {
    const { store, streams, delivery, jobId, lease } = await openDelivery();
    const { version } = streams.look(jobId, 0);
    // The reader looks in the very turn in which it is woken.
    const woken = streams
      .watch(jobId, new AbortController().signal)
      .wait(version, 60_000)
      .then(() => committedRows(store, "chunk", jobId));
    accept(lease, "text");
    delivery.schedule(lease);
    expect(await woken).toBe(1);
    expect(streams.look(jobId, 0).chunks).toEqual([{ seq: 1, segment: 1, text: "text" }]);
  });

  it("is confirmed to the miner only when it is stored", async () => {
    const { store, delivery, jobId, lease } = await openDelivery();
    const stored: number[] = [];
    lease.holder = {
      minerId: "miner-1",
      acknowledge: () => stored.push(committedRows(store, "chunk", jobId)),
      revoke: () => {},
    };
    accept(lease, "text");
    delivery.schedule(lease);
    await delivery.drain();
    expect(stored).toEqual([1]);
  });

  it("is confirmed as far as it is stored, while more of it is on its way to the disk", async () => {
    // The second flush begins when the first one's operation is handed over, not when it has ended.
    const { delivery, lease } = await openDelivery(() => {
      if (lease.acceptedBytes > 4) return;
      accept(lease, "more");
      delivery.schedule(lease);
      void delivery.drain();
    });
    const confirmed: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    lease.holder = {
      minerId: "miner-1",
      acknowledge([first]) {
        confirmed.push(first?.bytes ?? 0);
        if (confirmed.length === 2) resolve();
      },
      revoke: () => {},
    };
    accept(lease, "text");
    delivery.schedule(lease);
    await promise;
    expect(confirmed).toEqual([4, 8]);
  });

  it("begins its way to the disk at the end of the task where it is an answer's first", async () => {
    let operations = 0;
    const { store, delivery, lease } = await openDelivery(() => operations++);
    const other = await claimLease(store, await queueJob(store, "1".repeat(32)), "miner-2");
    accept(lease, "first");
    delivery.schedule(lease);
    await Promise.resolve();
    expect(operations).toBe(1);
    // Less than FLUSH_DELAY_MS after the one before.
    accept(lease, "second");
    delivery.schedule(lease);
    await Promise.resolve();
    expect(operations).toBe(1);
    accept(other, "first");
    delivery.schedule(other);
    await Promise.resolve();
    expect(operations).toBe(2);
    await delivery.drain();
  });

  it("does not wait for the flushes of others where it is an answer's first, and takes nothing with it", async () => {
    const flushes: string[][] = [];
    const { store, delivery, lease } = await openDelivery(([portions]) => {
      const rows = portions as readonly PortionRows[];
      flushes.push(rows.flatMap(({ chunks }) => chunks.map(({ text }) => text)));
    });
    const other = await claimLease(store, await queueJob(store, "1".repeat(32)), "miner-2");
    for (const text of ["one", "two"]) {
      accept(lease, text);
      delivery.schedule(lease);
      void delivery.drain();
    }
    expect(flushes).toHaveLength(MAX_FLUSHES_AT_ONCE);
    accept(lease, "three");
    delivery.schedule(lease);
    accept(other, "first");
    delivery.schedule(other);
    await Promise.resolve();
    expect(flushes).toEqual([["one"], ["two"], ["first"]]);
    await delivery.drain();
    expect(flushes.at(-1)).toEqual(["three"]);
  });

  it("is one chunk for each piece that came, and joined where more wait than a disk that keeps up leaves", async () => {
    const { streams, delivery, jobId, lease } = await openDelivery();
    for (const text of ["one", "zwei", "三"]) accept(lease, text);
    delivery.schedule(lease);
    await delivery.drain();
    expect(streams.look(jobId, 0).chunks?.map(({ seq, text }) => [seq, text])).toEqual([
      [1, "one"],
      [2, "zwei"],
      [3, "三"],
    ]);
    for (let n = 0; n <= MAX_PIECES_APART; n++) accept(lease, "x");
    delivery.schedule(lease);
    await delivery.drain();
    expect(streams.look(jobId, 3).chunks).toEqual([
      { seq: 4, segment: 1, text: "x".repeat(MAX_PIECES_APART + 1) },
    ]);
  });

  it("that came faster than the disk took it is cut into chunks of whole characters, of one size", async () => {
    const { store, streams, delivery, jobId, lease } = await openDelivery();
    // The first cut would fall into the middle of a character of two halves.
    const text = `${"x".repeat(MAX_STORED_CHARACTERS - 1)}😀${"語".repeat(MAX_STORED_CHARACTERS)}`;
    accept(lease, text);
    delivery.schedule(lease);
    await delivery.drain();
    const { chunks } = streams.look(jobId, 0);
    expect(chunks?.map((chunk) => [chunk.seq, chunk.text.length])).toEqual([
      [1, MAX_STORED_CHARACTERS - 1],
      [2, MAX_STORED_CHARACTERS],
      [3, 2],
    ]);
    expect(chunks?.map((chunk) => chunk.text).join("")).toBe(text);
    const limit = { rows: 100, bytes: 1 };
    const first = await listChunks(store.db, jobId, 0, limit);
    const second = await listChunks(store.db, jobId, 1, { rows: 100, bytes: CHUNK_PAGE_BYTES });
    expect(first.map(({ seq }) => seq)).toEqual([1]);
    expect(second.map(({ seq, start_byte }) => [seq, start_byte])).toEqual([
      [2, MAX_STORED_CHARACTERS - 1],
      [3, MAX_STORED_CHARACTERS - 1 + 4 + 3 * (MAX_STORED_CHARACTERS - 2)],
    ]);
  });

  it("under a lost lease is shown to nobody", async () => {
    const { store, streams, fenced, delivery, jobId, lease } = await openDelivery();
    await store.operation((tx) =>
      markLeaseEnded(tx, {
        job_id: jobId,
        token: lease.token,
        state: "CANCELED",
        ran_ms: 0,
        delivered_bytes: 0,
        last_seq: 0,
        settled_units: 0,
        price_uait: 0n,
        completed_at: 1,
        finish_reason: null,
        usage: null,
        error: null,
      }),
    );
    // Two flushes on their way at once: both are refused, and the loss is told once.
    const flushes = ["late", "later"].map((text) => {
      accept(lease, text);
      delivery.schedule(lease);
      return delivery.drain();
    });
    await Promise.all(flushes);
    expect(fenced).toEqual([lease]);
    expect(committedRows(store, "chunk", jobId)).toBe(0);
    expect(streams.look(jobId, 0).chunks).toBeUndefined();
  });
});
