import { describe, expect, it } from "vitest";
import { formatDelta } from "../../domain/job/deltas.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Principal } from "../../wire/access.ts";
import type { EndEvent, JobEvent } from "../../wire/job-events.ts";
import type { JobPayload, JobView } from "../../wire/jobs.ts";
import type { KnownModel, ModelOffer } from "../../wire/models.ts";
import { type AnswerPart, type AnswerPort, openAnswer, readAnswer } from "./answers.ts";

const CALLER: Principal = { key_id: "k", kind: "client", owner_id: "o" };
const JOB = { job_id: "0".repeat(32), requested_at: "2026-11-21T00:00:00.000Z" } as JobView;
const END: EndEvent = {
  state: "COMPLETED",
  error: null,
  finish_reason: "stop",
  delivered_bytes: 1,
  receipt_id: "r",
  units: 1,
  usage: null,
};
const PLAIN: JobPayload = { type: "inference", prompt: "x", model: "m" };
const TOOLS: JobPayload = { ...PLAIN, tools: [{ name: "t" }] };

const OFFER: ModelOffer = {
  miner_id: "a",
  engine: "e",
  digest: "d",
  context_tokens: 100,
  features: ["text", "tools"],
  tokens_per_second: null,
  load_ms: null,
  loaded: null,
};

const chunk = (seq: number, text: string, segment = 1): JobEvent => ({
  event: "chunk",
  id: seq,
  data: { seq, segment, text },
});
const end = (change: Partial<EndEvent> = {}): JobEvent => ({
  event: "end",
  id: 99,
  data: { ...END, ...change },
});

/** A coordinator that plays one stream; what a test does not need is refused. */
function playing(events: readonly (JobEvent | "keep-alive")[], offers: readonly ModelOffer[] = [OFFER]) {
  const canceled: string[] = [];
  const known: KnownModel = { name: "m", first_seen_at: 0, price_uait_per_million_units: 200_000, offers };
  const port: AnswerPort = {
    submit: async () => ({ job: JOB, replayed: false }),
    events: async () =>
      (async function* () {
        yield* events;
      })(),
    cancel: async (_caller, jobId) => {
      canceled.push(jobId);
      throw new AppError("CONFLICT_STATE", "job not cancelable");
    },
    minerOf: async (_jobId, segment) => `miner-${segment}`,
    findModel: (name) => (name === "m" ? known : undefined),
    putImage: async () => "",
  };
  return { port, canceled };
}

const { signal } = new AbortController();

async function partsOf(payload: JobPayload, events: readonly (JobEvent | "keep-alive")[]) {
  const { parts } = await openAnswer(playing(events).port, CALLER, payload, { signal });
  const all: AnswerPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

describe("an answer", () => {
  it("of text has its text, its seams and its end as parts", async () => {
    const waiting: JobEvent = { event: "state", data: { state: "QUEUED", attempt: 0, miner_id: null } };
    const parts = await partsOf(PLAIN, [waiting, "keep-alive", chunk(1, "a"), chunk(2, "b", 3), end()]);
    expect(parts).toEqual([
      { type: "waiting", queue: undefined },
      { type: "alive" },
      { type: "segment", segment: 1, miner_id: "miner-1", isSeam: false },
      { type: "delta", seq: 1, delta: { text: "a" } },
      { type: "segment", segment: 3, miner_id: "miner-3", isSeam: true },
      { type: "delta", seq: 2, delta: { text: "b" } },
      { type: "delta", seq: undefined, delta: { finish_reason: "stop" } },
      expect.objectContaining({
        type: "end",
        error: undefined,
        segments: [
          { segment: 1, miner_id: "miner-1" },
          { segment: 3, miner_id: "miner-3" },
        ],
      }),
    ]);
  });

  it("of lines, cut anywhere, is the same; a place to resume at is only where nothing is held back", async () => {
    const output = [{ text: "é" }, { choice: 1, text: "b" }, { tool_call: { index: 0, name: "t" } }]
      .map(formatDelta)
      .join("");
    for (let cut = 0; cut <= output.length; cut++) {
      const parts = await partsOf(TOOLS, [
        chunk(1, output.slice(0, cut)),
        chunk(2, output.slice(cut)),
        end(),
      ]);
      const deltas = parts.flatMap((part) => (part.type === "delta" ? [part] : []));
      expect(deltas.map(({ delta }) => delta)).toEqual([
        { text: "é" },
        { choice: 1, text: "b" },
        { tool_call: { index: 0, name: "t" } },
      ]);
      const seqs = deltas.map(({ seq }) => seq);
      if (cut < output.length) expect(seqs.at(-1)).toBe(2);
      const endsLine = cut > 0 && output[cut - 1] === "\n";
      expect(seqs.includes(1)).toBe(endsLine);
    }
  });

  it.each([
    [{ state: "EXPIRED" }, "NO_ELIGIBLE_MINER", ""],
    [{ state: "CANCELED" }, "JOB_CANCELED", ""],
    [{ state: "FAILED", error: "ENGINE_FAILED: it broke" }, "JOB_FAILED", "ENGINE_FAILED: it broke"],
    [
      { state: "FAILED", error: "UNSUPPORTED_FEATURE: no x", delivered_bytes: 0 },
      "UNSUPPORTED_FEATURE",
      "no x",
    ],
    [{ state: "FAILED", error: "UNSUPPORTED_FEATURE: no x" }, "JOB_FAILED", "no x"],
    [{ state: "FAILED", error: null }, "JOB_FAILED", ""],
  ] as const)("that is not complete says why: %j", async (change, code, message) => {
    const answer = await openAnswer(playing([end(change)]).port, CALLER, PLAIN, { signal });
    const error = await readAnswer(answer).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect((error as AppError).message).toContain(message);
  });

  it("that cannot be read is canceled; a job that has ended already is no error", async () => {
    const { port, canceled } = playing([]);
    const full = { ...port, events: async () => Promise.reject(new AppError("LIMIT_EXCEEDED", "full")) };
    await expect(openAnswer(full, CALLER, PLAIN, { signal })).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
    expect(canceled).toEqual([JOB.job_id]);
  });
});

describe("what a model lacks", () => {
  const open = (offers: readonly ModelOffer[], payload: JobPayload, names = {}) =>
    openAnswer(playing([end()], offers).port, CALLER, payload, { signal, names });

  it("is told when all miners lack it, by the name that the caller knows", async () => {
    const plain = { ...OFFER, features: ["text"] };
    const call = open([plain, { ...plain, engine: "f" }], TOOLS, { tools: "functions" });
    await expect(call).rejects.toMatchObject({
      code: "UNSUPPORTED_FEATURE",
      meta: { member: "functions" },
      message: expect.stringContaining("e, f"),
    });
  });

  it("is no matter when one has it, or nobody is online", async () => {
    await open([{ ...OFFER, features: ["text"] }, OFFER], TOOLS);
    await open([], TOOLS);
  });

  it("counts together: one with tools and another with images cannot do both", async () => {
    const image = { type: "image", sha256: "0".repeat(64), media_type: "image/png" } as const;
    const both: JobPayload = {
      type: "inference",
      model: "m",
      messages: [{ role: "user", content: [image] }],
      tools: [{ name: "t" }],
    };
    const sees = { ...OFFER, features: ["text", "vision"] };
    await expect(open([OFFER, sees], both)).rejects.toMatchObject({ code: "UNSUPPORTED_FEATURE" });
  });

  it("may be context", async () => {
    const call = open([OFFER], { ...PLAIN, context_tokens: 101 });
    await expect(call).rejects.toMatchObject({ meta: { member: "context_tokens" } });
  });
});
