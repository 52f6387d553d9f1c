import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  accept,
  type CoordinatorStore,
  claimLease,
  openCoordinatorStore,
  queueJob,
} from "../../../test/harness/coordinator-store.ts";
import { publishPortion, takePortion } from "./delivery.ts";
import { readEvents } from "./events.ts";
import type { Lease } from "./lease.ts";
import { UNREAD_STREAM_MS } from "./limits.ts";
import { markLeaseEnded } from "./store/jobs.ts";
import { storeFencedPortions } from "./store/portions.ts";
import { Streams } from "./streams.ts";

/** Stores and shows text, as a flush does. */
async function deliver(store: CoordinatorStore, streams: Streams, lease: Lease, text: string): Promise<void> {
  accept(lease, text);
  const portion = takePortion(lease);
  await store.operation(storeFencedPortions, [portion.rows]);
  publishPortion(streams, portion);
}

/** A job that has ended after four chunks; a reader was there for the last two, so that the ring has those. */
async function openEnded() {
  const store = await openCoordinatorStore();
  const streams = new Streams();
  const jobId = await queueJob(store);
  const lease = await claimLease(store, jobId, "miner-1");
  for (const text of ["one ", "two "]) await deliver(store, streams, lease, text);
  streams.attach(jobId);
  for (const text of ["three ", "four"]) await deliver(store, streams, lease, text);
  await store.operation((tx) =>
    markLeaseEnded(tx, {
      job_id: jobId,
      token: lease.token,
      state: "COMPLETED",
      ran_ms: 1,
      delivered_bytes: lease.storedBytes,
      last_seq: lease.lastSeq,
      settled_units: 0,
      price_uait: 0n,
      completed_at: 1,
      finish_reason: "stop",
      usage: null,
      error: null,
    }),
  );
  return { store, streams, jobId };
}

describe("a stream", () => {
  it.each([0, 1, 2, 3, 4])("resumed after chunk %i goes on with the next one", async (after) => {
    const { store, streams, jobId } = await openEnded();
    const source = {
      store,
      streams,
      maxReaders: 10,
      queueView: async () => undefined,
      isUnwritten: () => false,
    };
    const ids: number[] = [];
    const texts: string[] = [];
    for await (const item of readEvents(source, jobId, after, new AbortController().signal)) {
      if (item === "keep-alive" || item.event === "state") continue;
      ids.push(item.id);
      if (item.event === "chunk") texts.push(item.data.text);
    }
    expect(ids).toEqual([1, 2, 3, 4, 5].slice(after));
    expect(texts).toEqual(["one ", "two ", "three ", "four"].slice(after));
  });

  it("takes its place when it is asked for, and gives it back when its reader goes without having read", async () => {
    const { store, jobId } = await openEnded();
    const streams = new Streams();
    const source = { store, streams, queueView: async () => undefined, isUnwritten: () => false };
    const reader = new AbortController();
    readEvents(source, jobId, 0, reader.signal);
    expect(streams.readers).toBe(1);
    reader.abort();
    expect(streams.readers).toBe(0);
    readEvents(source, jobId, 0, reader.signal);
    expect(streams.readers).toBe(0);
  });

  it("whose reader never begins loses its place after a while, and has it again when it is read", async () => {
    const { store, jobId } = await openEnded();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const streams = new Streams();
    const source = { store, streams, queueView: async () => undefined, isUnwritten: () => false };
    const items = readEvents(source, jobId, 0, new AbortController().signal);
    vi.advanceTimersByTime(UNREAD_STREAM_MS);
    expect(streams.readers).toBe(0);
    await items.next();
    expect(streams.readers).toBe(1);
    await items.return();
    expect(streams.readers).toBe(0);
  });
});
