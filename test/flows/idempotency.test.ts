import { describe, expect, it } from "vitest";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";

const BODY = JSON.stringify({ payload: { type: "inference", prompt: "once" } });

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly replayed: boolean;
  readonly code: unknown;
}

/** Posts a job as a plain HTTP client, to see the very bytes of the answer. */
async function post(
  daemon: TestDaemon,
  key: string,
  body = BODY,
  apiKey = daemon.keys.client,
): Promise<Answer> {
  const response = await fetch(`${daemon.url}/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": apiKey, "idempotency-key": key },
    body,
  });
  const text = await response.text();
  const { code } = JSON.parse(text) as { code?: unknown };
  return { status: response.status, text, replayed: response.headers.has("idempotent-replayed"), code };
}

const jobsOf = (daemon: TestDaemon): number => daemon.rowCounts()["coordinator_job"] ?? 0;

describe("an Idempotency-Key", () => {
  it("makes one job of 100 posts at once, and gives all of them the same bytes", async () => {
    const daemon = await bootDaemon();
    const answers = await Promise.all(Array.from({ length: 100 }, () => post(daemon, "k")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(jobsOf(daemon)).toBe(1);
    expect(daemon.rowCounts()["coordinator_queue"]).toBe(1);
    expect(await daemon.metric("aitbc_coordinator_jobs_queued")).toBe(1);
  });

  it("refuses another body, and stores nothing of it", async () => {
    const daemon = await bootDaemon();
    const first = await post(daemon, "k");
    const other = await post(daemon, "k", BODY.replace("once", "twice"));
    expect(other).toMatchObject({ status: 422, code: "IDEMPOTENCY_MISMATCH" });
    expect(jobsOf(daemon)).toBe(1);
    expect(await post(daemon, "k")).toMatchObject({ status: 201, text: first.text, replayed: true });
  });

  it("of one client means nothing to another", async () => {
    const daemon = await bootDaemon();
    const { key } = await daemon.admin.createKey({ kind: "client", name: "other" });
    const mine = await post(daemon, "k");
    const theirs = await post(daemon, "k", BODY, key);
    expect(theirs).toMatchObject({ status: 201, replayed: false });
    expect(theirs.text).not.toBe(mine.text);
    expect(jobsOf(daemon)).toBe(2);
  });

  it("that a refused body came with is still free", async () => {
    const daemon = await bootDaemon();
    expect(await post(daemon, "k", "{}")).toMatchObject({ status: 422, code: "INVALID_PAYLOAD" });
    expect(await post(daemon, "k")).toMatchObject({ status: 201, replayed: false });
  });

  it("outlives a restart", async () => {
    const daemon = await bootDaemon();
    const first = await post(daemon, "k");
    const again = await post(await daemon.restart(), "k");
    expect(again).toEqual({ ...first, replayed: true });
    expect(jobsOf(daemon)).toBe(1);
  });

  it("that is empty or too long is refused", async () => {
    const daemon = await bootDaemon();
    expect((await post(daemon, "x".repeat(256))).status).toBe(422);
    expect((await post(daemon, "")).status).toBe(422);
    expect(jobsOf(daemon)).toBe(0);
  });
});
