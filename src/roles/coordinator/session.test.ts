import { describe, expect, it, vi } from "vitest";
import { createChannelPair } from "../../kernel/channel.ts";
import { createLog } from "../../kernel/log.ts";
import type { Lease } from "./lease.ts";
import { MAX_FRAMES_AT_ONCE } from "./limits.ts";
import { MinerSession, type SessionHandler } from "./session.ts";

const JOB = "0199f3a2c4d17b0e8a52c1d07f3b6e94";
const log = createLog({ level: "silent", format: "json", terminal: false });

const REGISTER = {
  type: "register",
  v: 1,
  public_key: "A".repeat(43),
  signature: "A".repeat(86),
  name: "one",
  region: null,
  payout: null,
  slots: 1,
  capabilities: {
    gpus: [],
    cuda: null,
    cpu: { name: "test", cores: 1 },
    memory_mb: 1024,
    models: [],
    price: null,
  },
  running: [],
};
const FAIL = { type: "fail", job_id: JOB, token: 1, code: "ENGINE_FAILED", message: "no", retryable: true };

/** A handler whose work on endings stands still until it is let go. */
function stalledHandler() {
  const gate = Promise.withResolvers<void>();
  const fail = vi.fn(() => gate.promise);
  // Only what these frames lead to is called, and the profile is handed on unread.
  const handler = {
    register: async () => ({ minerId: "miner-1" }),
    registered: () => {},
    fail,
    closed: () => {},
  } as unknown as SessionHandler;
  return { handler, fail, release: gate.resolve };
}

async function open(handler: SessionHandler, register: object = REGISTER) {
  const [own, miners] = createChannelPair({ direct: false });
  const frames: { type: string; code?: string }[] = [];
  miners.onFrame((raw) => frames.push(JSON.parse(raw) as { type: string }));
  const closed = Promise.withResolvers<string>();
  miners.onClose(closed.resolve);
  const session = new MinerSession(own, { keyId: "key", nonce: "", handler, log });
  miners.send(JSON.stringify(register));
  await vi.waitUntil(() => session.registered);
  return { session, miners, frames, closed: closed.promise };
}

/** Leases of which the session needs to know no more than their names. */
const STORED = [1, 2].map((token) => ({ lease: { jobId: JOB, token } as Lease, bytes: token * 10 }));
const ACKS = [1, 2].map((token) => ({ job_id: JOB, token, bytes: token * 10 }));

describe("a miner's session", () => {
  it("works on so many frames at once, and is closed when more come", async () => {
    const { handler, fail } = stalledHandler();
    const { miners, frames, closed } = await open(handler);
    for (let n = 0; n <= MAX_FRAMES_AT_ONCE; n++) miners.send(JSON.stringify(FAIL));
    expect(await closed).toBe("RATE_LIMITED");
    expect(fail).toHaveBeenCalledTimes(MAX_FRAMES_AT_ONCE);
    expect(frames.at(-1)).toMatchObject({ type: "error", code: "RATE_LIMITED" });
  });

  it("confirms several jobs in one frame to a miner that knows it, and in a frame each to an older one", async () => {
    const newer = await open(stalledHandler().handler, { ...REGISTER, features: ["acks"] });
    newer.session.acknowledge(STORED);
    const older = await open(stalledHandler().handler);
    older.session.acknowledge(STORED);
    await new Promise(setImmediate);
    expect(newer.frames).toEqual([{ type: "acks", acks: ACKS }]);
    expect(older.frames).toEqual(ACKS.map((ack) => ({ type: "ack", ...ack })));
  });

  it("takes as many again when the first ones are done", async () => {
    const { handler, fail, release } = stalledHandler();
    const { miners } = await open(handler);
    for (let n = 0; n < MAX_FRAMES_AT_ONCE; n++) miners.send(JSON.stringify(FAIL));
    await vi.waitUntil(() => fail.mock.calls.length === MAX_FRAMES_AT_ONCE);
    release();
    await new Promise(setImmediate);
    miners.send(JSON.stringify(FAIL));
    await vi.waitUntil(() => fail.mock.calls.length === MAX_FRAMES_AT_ONCE + 1);
  });
});
