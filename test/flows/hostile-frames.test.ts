import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { sessionUrl } from "../../src/client/session-channel.ts";
import { toBase64Url } from "../../src/crypto/bytes.ts";
import { generateKeyPair } from "../../src/crypto/ed25519.ts";
import { MAX_FRAME_BYTES } from "../../src/wire/limits.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { codeOf } from "../harness/database.ts";
import { job } from "../harness/jobs.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon[Symbol.asyncDispose]());

/** After anything at all, the daemon still serves an honest miner. */
async function expectAlive(): Promise<void> {
  const { job_id } = await daemon.client.submitJob(job("still there?"));
  const miner = await ScriptedMiner.join(daemon);
  const work = await miner.take();
  expect(work.lease.job_id).toBe(job_id);
  await work.deliver("yes");
  work.complete();
  await miner.next("completed");
}

const LEASE = { job_id: "0".repeat(32), token: 1 };

/** Frames that no miner sends: each must end the session with an error that names the fault. */
const HOSTILE: [string, string][] = [
  ["nothing", ""],
  ["no JSON", "hello"],
  ["half a frame", '{"type":"drain"'],
  ["a list", "[]"],
  ["null", "null"],
  ["an unknown type", '{"type":"become_admin"}'],
  ["a coordinator's frame", JSON.stringify({ type: "completed", ...LEASE, receipt: {} })],
  ["no type", "{}"],
  ["an unknown member", '{"type":"drain","now":true}'],
  ["a member twice", '{"type":"drain","type":"drain"}'],
  ["__proto__", '{"type":"drain","__proto__":{"draining":false}}'],
  ["deep nesting", `${"[".repeat(10_000)}`],
  [
    "a lone surrogate",
    JSON.stringify({ type: "chunk", ...LEASE, offset: 0, text: "x" }).replace('"x"', '"\\ud800"'),
  ],
  ["a negative offset", JSON.stringify({ type: "chunk", ...LEASE, offset: -1, text: "x" })],
  ["a fraction of a byte", JSON.stringify({ type: "chunk", ...LEASE, offset: 0.5, text: "x" })],
  ["an offset beyond all", JSON.stringify({ type: "chunk", ...LEASE, offset: 2 ** 60, text: "x" })],
  ["an empty chunk", JSON.stringify({ type: "chunk", ...LEASE, offset: 0, text: "" })],
  ["a chunk too large", JSON.stringify({ type: "chunk", ...LEASE, offset: 0, text: "x".repeat(65 * 1024) })],
  ["a token of zero", JSON.stringify({ type: "start", ...LEASE, token: 0 })],
  ["a job id that is none", JSON.stringify({ type: "start", job_id: "../../etc", token: 1 })],
  [
    "leases without end",
    JSON.stringify({ type: "heartbeat", running: Array.from({ length: 300 }, () => LEASE) }),
  ],
  [
    "a fail in lower case",
    JSON.stringify({ type: "fail", ...LEASE, code: "x", message: "", retryable: true }),
  ],
];

describe("a hostile frame", () => {
  it.each(HOSTILE)("(%s) ends the session with an error, and nothing else", async (_name, raw) => {
    const miner = await ScriptedMiner.join(daemon);
    miner.sendRaw(raw);
    const error = await miner.next("error");
    expect(["PROTOCOL_VIOLATION", "MALFORMED_JSON", "INVALID_PAYLOAD"]).toContain(error.code);
    expect(error.detail).not.toBe("");
    await miner.ended();
  });

  it("leaves a daemon that serves others", () => expectAlive());

  it("larger than a frame may be is cut off by its length", async () => {
    const miner = await ScriptedMiner.join(daemon);
    miner.sendRaw(" ".repeat(MAX_FRAME_BYTES + 1));
    await miner.ended();
    await expectAlive();
  });

  it("in binary is refused", async () => {
    const socket = new WebSocket(sessionUrl(daemon.url), { headers: { "x-api-key": daemon.keys.miner } });
    await once(socket, "open");
    socket.send(Buffer.from("{}"), { binary: true });
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1002);
    await expectAlive();
  });

  it("about a lease that nobody holds is fenced, and the session goes on", async () => {
    const miner = await ScriptedMiner.join(daemon);
    const progress = {
      v: 1,
      ...LEASE,
      seq: 1,
      bytes: 1,
      running_sha256: "0".repeat(64),
      units: 1,
      terms_hash: "0".repeat(64),
    };
    const frames = [
      { type: "start", ...LEASE },
      { type: "reject", ...LEASE, code: "X", message: "" },
      { type: "chunk", ...LEASE, offset: 0, text: "x" },
      { type: "progress", progress, signature: "A".repeat(86) },
      {
        type: "complete",
        ...LEASE,
        finish_reason: "stop",
        usage: { prompt_tokens: 1, completion_tokens: 1 },
        receipt: {},
      },
      {
        type: "complete",
        ...LEASE,
        finish_reason: "stop",
        usage: { prompt_tokens: 1, completion_tokens: 1 },
        receipt: { version: [] },
      },
      { type: "fail", ...LEASE, code: "X", message: "", retryable: false },
      { type: "heartbeat", running: [LEASE] },
    ];
    for (const frame of frames) {
      miner.sendRaw(JSON.stringify(frame));
      const { job_id, token, code } = await miner.next("fenced");
      expect({ job_id, token }).toEqual(LEASE);
      expect(["STALE_LEASE", "INVALID_RECEIPT", "INVALID_PAYLOAD"]).toContain(code);
    }
    expect(miner.closed).toBeUndefined();
  });

  it.each([
    {},
    { version: "1.1" },
    { version: "1.1", price: 1e308 },
    { price: { toString: 1 } },
    { signature: null, metadata: [] },
    { signature: { alg: "none" } },
  ])("with a receipt that is none (%j) costs the lease, not the daemon", async (receipt) => {
    const { job_id } = await daemon.client.submitJob(job("a", { max_attempts: 1 }));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver("x");
    work.complete(receipt as never);
    const fenced = await work.fenced();
    expect(["INVALID_RECEIPT", "INVALID_PAYLOAD", "INVALID_SIGNATURE"]).toContain(fenced.code);
    expect((await daemon.client.waitForJob(job_id)).state).toBe("FAILED");
  });
});

describe("a registration", () => {
  const stranger = generateKeyPair();
  const lies: [string, (good: Awaited<ReturnType<ScriptedMiner["registration"]>>) => object, string][] = [
    [
      "another's key",
      (good) => ({ ...good, public_key: toBase64Url(stranger.publicKey) }),
      "INVALID_SIGNATURE",
    ],
    [
      "a broken proof",
      (good) => ({ ...good, signature: `A${good.signature.slice(1)}` }),
      "INVALID_SIGNATURE",
    ],
    ["a proof too short", (good) => ({ ...good, signature: good.signature.slice(0, 20) }), ""],
    [
      "a key of small order",
      (good) => ({ ...good, public_key: toBase64Url(new Uint8Array(32)) }),
      "INVALID_SIGNATURE",
    ],
    ["a key too short", (good) => ({ ...good, public_key: "AAAA" }), ""],
    ["another version", (good) => ({ ...good, v: 2 }), "PROTOCOL_VIOLATION"],
    ["no slot", (good) => ({ ...good, slots: 0 }), "PROTOCOL_VIOLATION"],
    ["too many slots", (good) => ({ ...good, slots: 1e9 }), "PROTOCOL_VIOLATION"],
    ["a payout that is no address", (good) => ({ ...good, payout: "0xdeadbeef" }), "PROTOCOL_VIOLATION"],
    ["a name of control characters", (good) => ({ ...good, name: "\u001b[31m" }), "PROTOCOL_VIOLATION"],
  ];
  it.each(lies)("with %s is refused", async (_name, lie, code) => {
    const before = daemon.rowCounts();
    const miner = await ScriptedMiner.dial(daemon);
    miner.sendRaw(JSON.stringify(lie(await miner.registration())));
    const error = await miner.next("error");
    if (code) expect(error.code).toBe(code);
    expect(error.code).not.toBe("INTERNAL");
    await miner.ended();
    expect(miner.all("registered")).toEqual([]);
    expect(daemon.rowCounts()).toEqual(before);
  });

  it("with the proof of an earlier session is refused: each has its own challenge", async () => {
    const first = await ScriptedMiner.dial(daemon);
    const old = await first.registration();
    const second = await ScriptedMiner.dial(daemon, first.key);
    second.send(old);
    expect((await second.next("error")).code).toBe("INVALID_SIGNATURE");
  });

  it("comes once, and first", async () => {
    const twice = await ScriptedMiner.dial(daemon);
    const frame = await twice.registration();
    twice.send(frame);
    twice.send(frame);
    expect((await twice.next("error")).code).toBe("PROTOCOL_VIOLATION");
    for (const early of [{ type: "drain" } as const, { type: "start", ...LEASE } as const]) {
      const miner = await ScriptedMiner.dial(daemon);
      miner.send(early);
      expect(await miner.next("error")).toMatchObject({
        code: "PROTOCOL_VIOLATION",
        detail: "the first frame must be register",
      });
    }
    await expectAlive();
  });

  it("needs a miner's key before the upgrade", async () => {
    for (const key of [daemon.keys.client, daemon.keys.admin, "nonsense"]) {
      const dial = ScriptedMiner.dial({ url: daemon.url, keys: { ...daemon.keys, miner: key } });
      expect(["UNAUTHORIZED_KEY", "FORBIDDEN_KEY"]).toContain(await codeOf(dial));
    }
  });

  it("beyond the number of sessions is asked to come later", async () => {
    const small = await TestDaemon.start({ settings: { "coordinator.max_sessions": "1" } });
    try {
      const first = await ScriptedMiner.join(small);
      const second = await ScriptedMiner.dial(small);
      expect(await second.ended()).toContain("1 miners are connected already");
      first.disconnect();
      await first.ended();
    } finally {
      await small[Symbol.asyncDispose]();
    }
  });
});
