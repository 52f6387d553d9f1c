import { describe, expect, it } from "vitest";
import { KeylessMiner } from "./keyless-miner.ts";
import type { Lease } from "./lease.ts";
import type { LinkOffer } from "./miner-link.ts";

function createMiner(slots: number): KeylessMiner {
  const capabilities = {
    gpus: [],
    cuda: null,
    cpu: { name: "test", cores: 1 },
    memory_mb: 0,
    models: [],
    price: null,
  };
  const profile = { minerId: "keyless-1", name: "one", region: null, payout: null, slots, capabilities };
  return new KeylessMiner({ keyId: "key", sessionToken: "token", profile, now: 0 });
}

/** A lease and its offer, as far as a link looks at them. */
function offerOf(jobId: string, grantedAt = 0): [Lease, LinkOffer] {
  const lease = { jobId, token: 1, grantedAt, job: { constraints: "{}" }, holder: undefined };
  const offer = { terms: {}, payload: {}, prefix: "", lease_ms: 30_000, deadline_ms: 60_000 };
  return [lease as unknown as Lease, offer as unknown as LinkOffer];
}

const FOREVER_MS = 60_000;
const never = new AbortController().signal;

describe("a keyless miner", () => {
  it("takes no more offers than it waits for, nor than it has slots", async () => {
    const miner = createMiner(2);
    expect(miner.freeSlots).toBe(0);
    const first = miner.poll(FOREVER_MS, never);
    expect(miner.freeSlots).toBe(1);
    miner.claiming++;
    expect(miner.freeSlots).toBe(0);
    miner.claiming--;
    const second = miner.poll(FOREVER_MS, never);
    expect(miner.freeSlots).toBe(2);
    miner.offer(...offerOf("a"));
    expect([(await first)?.job_id, miner.freeSlots]).toEqual(["a", 1]);
    miner.draining = true;
    expect(miner.freeSlots).toBe(0);
    miner.finishDrain();
    expect(await second).toBeUndefined();
  });

  it("ends the oldest poll when more wait than it has slots", async () => {
    const miner = createMiner(1);
    const old = miner.poll(FOREVER_MS, never);
    const young = miner.poll(FOREVER_MS, never);
    expect(await old).toBeUndefined();
    miner.offer(...offerOf("a"));
    expect((await young)?.job_id).toBe("a");
  });

  it("asks for nothing any more once the caller has gone, and keeps what was claimed for it", async () => {
    const miner = createMiner(1);
    const gone = new AbortController();
    const left = miner.poll(FOREVER_MS, gone.signal);
    gone.abort();
    expect(await left).toBeUndefined();
    expect([miner.freeSlots, miner.attached]).toEqual([0, false]);
    miner.offer(...offerOf("a"));
    // Nobody has heard of it, so no sign of life keeps it.
    expect(miner.alive()).toEqual([]);
    expect((await miner.poll(0, never))?.job_id).toBe("a");
    expect(miner.alive()).toHaveLength(1);
  });

  it("waits past its time for a search that runs, no longer", async () => {
    const miner = createMiner(1);
    miner.claiming++;
    const waiting = miner.poll(0, never);
    await new Promise((resolve) => setTimeout(resolve, 5));
    miner.offer(...offerOf("a"));
    miner.claiming--;
    expect((await waiting)?.job_id).toBe("a");
    const [lease] = offerOf("a");
    miner.release(miner.leases.get("a") ?? lease);
    miner.claiming++;
    const vain = miner.poll(0, never);
    await new Promise((resolve) => setTimeout(resolve, 5));
    miner.claiming--;
    miner.finishDrain();
    expect(await vain).toBeUndefined();
  });

  it("renews what it says it works on: begun leases first, then the newest", () => {
    const miner = createMiner(3);
    const [old, oldOffer] = offerOf("old", 1);
    const [middle, middleOffer] = offerOf("middle", 2);
    const [young, youngOffer] = offerOf("young", 3);
    for (const [lease, offer] of [
      [old, oldOffer],
      [middle, middleOffer],
      [young, youngOffer],
    ] as const) {
      void miner.poll(FOREVER_MS, never);
      miner.offer(lease, offer);
    }
    miner.begin(middle);
    expect(miner.alive(0)).toEqual([]);
    expect(miner.alive(1)).toEqual([middle]);
    expect(miner.alive(2)).toEqual([middle, young]);
    expect(miner.alive()).toEqual([middle, young, old]);
    miner.close(1001, "over");
  });
});
