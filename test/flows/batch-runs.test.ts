import { describe, expect, it, onTestFinished } from "vitest";
import {
  CHATS,
  chat,
  countJobs,
  type Line,
  type OutputLine,
  readOutput,
  startBatch,
  toJsonl,
  untilBatch,
  untilEnded,
} from "../harness/batches.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { openAiClient } from "../harness/openai.ts";
import type { PlannedEngine } from "../harness/planned-engine.ts";
import { joinPlanned, PLANNED_MODEL, plannedVector } from "../harness/planned-miner.ts";
import { poll } from "../harness/poll.ts";

const linesOf = (count: number, rest: object = {}): Line[] =>
  Array.from({ length: count }, (_, index) => ({
    custom_id: `line-${index}`,
    body: chat(PLANNED_MODEL, `say ${index}`, rest),
  }));

/** What the last message of a run's prompt says. */
const asked = ({ request }: Awaited<ReturnType<PlannedEngine["nth"]>>): string =>
  JSON.stringify(request).match(/say \d+/)?.[0] ?? "";

/** Answers all runs from one on, in the order in which they begin, until the test ends. */
function answerAll(engine: PlannedEngine, from = 0): void {
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  const work = async (): Promise<void> => {
    for (let index = from; !isOver; index++) {
      const run = await engine.nth(index);
      await run.write(asked(run));
      run.end();
    }
  };
  work().catch(() => {});
}

/** What a chat of an output file says. */
const contentOf = ({ response }: OutputLine): unknown => {
  const body = response?.body as { choices: { message: { content: string } }[] } | undefined;
  return body?.choices[0]?.message.content;
};

/** Leases that end soon after their miner has gone. */
const SHORT_LEASES = { "coordinator.lease_seconds": "2", "coordinator.heartbeat_seconds": "1" };

describe("a batch", () => {
  it("keeps no more in the queue than idle miners begin at once, and lets other jobs go first", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon, {}, 2);
    const openai = openAiClient(daemon);
    const { id, input_file_id } = await startBatch(openai, toJsonl(linesOf(5)));
    const first = await engine.nth(0);
    await engine.nth(1);
    // Both slots are taken: nothing of the batch waits, though three lines are left.
    expect(countJobs(daemon)).toBe(2);
    await expect(openai.files.delete(input_file_id)).rejects.toMatchObject({ status: 409 });
    const urgent = await daemon.client.submitJob({
      payload: { type: "inference", prompt: "say 99", model: PLANNED_MODEL },
    });
    await first.write("one");
    first.end();
    expect(asked(await engine.nth(2))).toBe("say 99");
    expect((await daemon.client.getJob(urgent.job_id)).state).toBe("RUNNING");
    expect(countJobs(daemon)).toBe(3);
    for (const index of [1, 2]) (await engine.nth(index)).end();
    answerAll(engine, 3);
    expect(await untilEnded(openai, id)).toMatchObject({
      status: "completed",
      request_counts: { completed: 5, failed: 0, total: 5 },
    });
    expect(countJobs(daemon)).toBe(6);
    await openai.files.delete(input_file_id);
  });

  it("of two clients take turns, however long the one that came first is", async () => {
    const daemon = await bootDaemon();
    const { key } = await daemon.admin.createKey({ kind: "client", name: "other" });
    const [mine, others] = [openAiClient(daemon), openAiClient(daemon, { apiKey: key })];
    const long = await startBatch(mine, toJsonl(linesOf(40)));
    await startBatch(mine, toJsonl(linesOf(40)));
    await untilBatch(mine, long.id, ({ status }) => status === "failed");
    // Nobody offers the model yet: it is unknown. With a miner both begin.
    const engine = await joinPlanned(daemon, {}, 1);
    const again = await startBatch(mine, toJsonl(linesOf(40)));
    await engine.nth(0);
    const short = await startBatch(others, toJsonl(linesOf(4)));
    await untilBatch(others, short.id, ({ status }) => status === "in_progress");
    answerAll(engine);
    expect(await untilEnded(others, short.id)).toMatchObject({ status: "completed" });
    const { request_counts } = await mine.batches.retrieve(again.id);
    // Of each two jobs one was the other client's: the long batch has hardly begun.
    expect(request_counts?.completed).toBeLessThan(15);
  });

  it("that is canceled stops what runs, keeps what has ended, and says of each other line why", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon, {}, 2);
    const openai = openAiClient(daemon);
    const { id } = await startBatch(openai, toJsonl(linesOf(6)));
    const first = await engine.nth(0);
    await first.write("kept");
    first.end();
    const second = await engine.nth(1);
    await engine.nth(2);
    await untilBatch(openai, id, ({ request_counts }) => request_counts?.completed === 1);
    const canceled = await openai.batches.cancel(id);
    expect(canceled.status).toBe("cancelling");
    await second.aborted;
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({
      status: "cancelled",
      request_counts: { total: 6, completed: 1, failed: 0 },
    });
    const [done, ...more] = await readOutput(openai, batch.output_file_id);
    expect([done && contentOf(done), more.length]).toEqual(["kept", 0]);
    const rest = await readOutput(openai, batch.error_file_id);
    expect(rest.map(({ error }) => error?.code)).toEqual(Array(5).fill("batch_cancelled"));
    expect(countJobs(daemon)).toBe(3);
    expect((await openai.batches.cancel(id)).status).toBe("cancelled");
  });

  it("goes on after a restart: each line is answered once", async () => {
    const before = await bootDaemon({ settings: SHORT_LEASES });
    const engine = await joinPlanned(before, {}, 2);
    const { id } = await startBatch(openAiClient(before), toJsonl(linesOf(20)));
    const first = await engine.nth(0);
    // Either of the first two lines: they begin side by side.
    await first.write(asked(first));
    first.end();
    await engine.nth(2);
    await untilBatch(openAiClient(before), id, ({ request_counts }) => request_counts?.completed === 1);
    await engine.leave();
    const daemon = await before.restart();
    answerAll(await joinPlanned(daemon, {}, 2));
    const openai = openAiClient(daemon);
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({ status: "completed", request_counts: { total: 20, completed: 20 } });
    const output = await readOutput(openai, batch.output_file_id);
    expect(output.map(contentOf)).toEqual(linesOf(20).map((_line, index) => `say ${index}`));
    expect(countJobs(daemon)).toBe(20);
  });

  it("takes a line whose job was stored as that job, when the process ended before it noted so", async () => {
    const before = await bootDaemon({ settings: SHORT_LEASES });
    const engine = await joinPlanned(before, {}, 1);
    const { id } = await startBatch(openAiClient(before), toJsonl(linesOf(2)));
    await engine.nth(0);
    await engine.leave();
    await before.daemon.stop();
    before.change("update gateway_batch_line set state = 'pending', job_id = null");
    const daemon = await before.restart();
    answerAll(await joinPlanned(daemon, {}, 1));
    expect(await untilEnded(openAiClient(daemon), id)).toMatchObject({ status: "completed" });
    expect(countJobs(daemon)).toBe(2);
  });

  it("leaves no lines behind, when the process ended between the end of the batch and theirs", async () => {
    const before = await bootDaemon({ settings: SHORT_LEASES });
    const engine = await joinPlanned(before, {}, 1);
    const openai = openAiClient(before);
    const { id: ended } = await startBatch(openai, toJsonl(linesOf(3)));
    await engine.nth(0);
    const { id: running } = await startBatch(openai, toJsonl(linesOf(2)));
    await untilBatch(openai, running, ({ status }) => status === "in_progress");
    await engine.leave();
    await before.daemon.stop();
    before.change(`update gateway_batch set status = 'completed' where batch_id = '${ended}'`);
    const daemon = await before.restart();
    expect(daemon.rowCounts()["gateway_batch_line"]).toBe(2);
    answerAll(await joinPlanned(daemon, {}, 1));
    expect(await untilEnded(openAiClient(daemon), running)).toMatchObject({ status: "completed" });
  });

  it("expires after a day: what has ended is kept, the rest says so", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock });
    const engine = await joinPlanned(daemon, {}, 1);
    const openai = openAiClient(daemon);
    const { id } = await startBatch(openai, toJsonl(linesOf(3)));
    const first = await engine.nth(0);
    await first.write("in time");
    first.end();
    const second = await engine.nth(1);
    await untilBatch(openai, id, ({ request_counts }) => request_counts?.completed === 1);
    clock.advance(24 * 3600 * 1000);
    await second.aborted;
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({ status: "expired", expired_at: expect.any(Number) });
    expect((await readOutput(openai, batch.output_file_id)).map(contentOf)).toEqual(["in time"]);
    const rest = await readOutput(openai, batch.error_file_id);
    expect(rest.map(({ custom_id, response, error }) => [custom_id, response, error?.code])).toEqual([
      ["line-1", null, "batch_expired"],
      ["line-2", null, "batch_expired"],
    ]);
  });

  it("writes what a call would have failed with into its error file", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon, {}, 1);
    const openai = openAiClient(daemon);
    const { id } = await startBatch(openai, toJsonl(linesOf(2)));
    (await engine.nth(0)).end();
    const bad = await engine.nth(1);
    const { AppError } = await import("../../src/kernel/errors.ts");
    bad.fail(new AppError("INVALID_PAYLOAD", "the prompt is too long"));
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 2, completed: 1, failed: 1 },
    });
    expect(await readOutput(openai, batch.error_file_id)).toMatchObject([
      {
        custom_id: "line-1",
        error: null,
        response: { status_code: 400, body: { error: { message: expect.stringContaining("too long") } } },
      },
    ]);
  });

  it("makes vectors and texts as well, and is listed newest first", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    answerAll(engine);
    const openai = openAiClient(daemon);
    const embed = "/v1/embeddings";
    const vectors = await startBatch(
      openai,
      toJsonl([{ custom_id: "v", url: embed, body: { model: PLANNED_MODEL, input: "four" } }]),
      embed,
    );
    const text = "/v1/completions";
    const texts = await startBatch(
      openai,
      toJsonl([{ custom_id: "t", url: text, body: { model: PLANNED_MODEL, prompt: "say 7", echo: true } }]),
      text,
    );
    const [vector] = await readOutput(openai, (await untilEnded(openai, vectors.id)).output_file_id);
    expect(vector?.response?.body).toMatchObject({ data: [{ embedding: plannedVector("four") }] });
    const [written] = await readOutput(openai, (await untilEnded(openai, texts.id)).output_file_id);
    expect(written?.response?.body).toMatchObject({ choices: [{ text: "say 7say 7" }] });
    const listed: string[] = [];
    for await (const { id } of openai.batches.list({ limit: 1 })) listed.push(id);
    expect(listed).toEqual([texts.id, vectors.id]);
  });
});

describe("an input that cannot run", () => {
  const errorsOf = async (daemon: TestDaemon, text: string | Uint8Array<ArrayBuffer>) => {
    const openai = openAiClient(daemon);
    const { upload } = await import("../harness/batches.ts");
    const file = await upload(openai, text);
    const request = { input_file_id: file.id, endpoint: CHATS, completion_window: "24h" } as const;
    const { id } = await openai.batches.create(request);
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({ status: "failed", output_file_id: null, error_file_id: null });
    // They go after the end that was told.
    await poll(
      () => daemon.rowCounts()["gateway_batch_line"],
      (lines) => lines === 0,
    );
    return (batch.errors?.data ?? []).map(({ line, code, param }) => [line, code, param]);
  };

  it("is told by line: what is no JSON, not UTF-8, twice there, for another call, or for nobody's model", async () => {
    const daemon = await bootDaemon();
    await joinPlanned(daemon);
    const [good] = linesOf(1);
    const line = (rest: object): string => JSON.stringify({ method: "POST", url: CHATS, ...good, ...rest });
    const text = [
      line({}),
      "{",
      "",
      line({}),
      line({ custom_id: "a", url: "/v1/embeddings" }),
      line({ custom_id: "b", method: "GET" }),
      line({ custom_id: "c", body: chat("nobody-has-it", "x") }),
      line({ custom_id: "d", body: chat(PLANNED_MODEL, "x", { stream: true }) }),
      line({ custom_id: "e", body: chat(PLANNED_MODEL, "x", { colour: "red" }) }),
      line({ custom_id: 7 }),
      line({ custom_id: "f", more: 1 }),
    ].join("\r\n");
    expect(await errorsOf(daemon, text)).toEqual([
      [2, "malformed_json", null],
      [4, "duplicate_custom_id", "custom_id"],
      [5, "invalid_value", "url"],
      [6, "invalid_value", "method"],
      [7, "model_not_found", "body.model"],
      [8, "invalid_value", "body.stream"],
      [9, "unknown_parameter", "body.colour"],
      [10, "invalid_value", "custom_id"],
      [11, "unknown_parameter", "more"],
    ]);
    const latin = Buffer.from(`${line({})}\n{"custom_id":"\xe4"}\n`, "latin1");
    expect(await errorsOf(daemon, Uint8Array.from(latin))).toEqual([[2, "malformed_json", null]]);
    expect(await errorsOf(daemon, " \n\n")).toEqual([[null, "empty_file", null]]);
    const long = `${line({ body: chat(PLANNED_MODEL, "x".repeat(5 * 1024 * 1024)) })}\n${line({})}`;
    expect(await errorsOf(daemon, long)).toEqual([[1, "payload_too_large", null]]);
    const many = Array.from({ length: 300 }, () => "x").join("\n");
    expect((await errorsOf(daemon, many)).length).toBe(100);
    expect(countJobs(daemon)).toBe(0);
  });
});
