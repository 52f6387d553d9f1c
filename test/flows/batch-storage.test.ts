import { describe, expect, it } from "vitest";
import {
  chat,
  countJobs,
  readOutput,
  startBatch,
  toJsonl,
  untilBatch,
  untilEnded,
  upload,
} from "../harness/batches.ts";
import { bootDaemon } from "../harness/daemon.ts";
import { openAiClient } from "../harness/openai.ts";
import { joinPlanned, PLANNED_MODEL } from "../harness/planned-miner.ts";
import { poll } from "../harness/poll.ts";

const LINES = toJsonl(
  ["one", "two", "three"].map((word) => ({ custom_id: word, body: chat(PLANNED_MODEL, word) })),
);

describe("a batch whose storage fails it", () => {
  it("waits for room for its output, says so, and loses nothing", async () => {
    // Each small file counts 4096 bytes.
    const daemon = await bootDaemon({ settings: { "coordinator.artifacts.owner_quota_bytes": "10000" } });
    const engine = await joinPlanned(daemon, {}, 1);
    const openai = openAiClient(daemon);
    const other = await upload(openai, "something else", "user_data");
    const { id } = await startBatch(openai, LINES);
    for (const index of [0, 1, 2]) {
      const run = await engine.nth(index);
      await run.write("an answer");
      run.end();
    }
    const waiting = await untilBatch(openai, id, ({ errors }) => errors?.data !== undefined);
    expect(waiting).toMatchObject({
      status: "finalizing",
      output_file_id: null,
      errors: { data: [{ code: "no_room_for_output", message: expect.stringContaining("10000 bytes") }] },
    });
    expect((await openai.files.list({ purpose: "batch_output" as never })).data).toEqual([]);
    await openai.files.delete(other.id);
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({ status: "completed", errors: null });
    expect(await readOutput(openai, batch.output_file_id)).toHaveLength(3);
  });

  it("fails when its input is given up as an artifact, and stops what runs", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon, {}, 1);
    const openai = openAiClient(daemon);
    const { id, input_file_id } = await startBatch(openai, LINES);
    const first = await engine.nth(0);
    const { aitbc } = (await openai.files.retrieve(input_file_id)) as never as {
      aitbc: { artifact: string };
    };
    await daemon.client.artifacts.delete(aitbc.artifact);
    await first.write("an answer");
    first.end();
    expect(await untilEnded(openai, id)).toMatchObject({
      status: "failed",
      errors: { data: [{ code: "input_file_gone" }] },
      request_counts: { total: 3, completed: 1 },
    });
    expect(countJobs(daemon)).toBe(1);
    // They go after the end that was told.
    await poll(
      () => daemon.rowCounts()["gateway_batch_line"],
      (lines) => lines === 0,
    );
  });

  it("writes its files after a restart, when the end was as far as that", async () => {
    const before = await bootDaemon({ settings: { "coordinator.artifacts.owner_quota_bytes": "5000" } });
    const engine = await joinPlanned(before, {}, 3);
    const { id } = await startBatch(openAiClient(before), LINES);
    for (const index of [0, 1, 2]) {
      const run = await engine.nth(index);
      await run.write("an answer");
      run.end();
    }
    await untilBatch(openAiClient(before), id, ({ errors }) => errors?.data !== undefined);
    const daemon = await before.restart({ "coordinator.artifacts.owner_quota_bytes": "100000" });
    const openai = openAiClient(daemon);
    const batch = await untilEnded(openai, id);
    expect(batch).toMatchObject({ status: "completed", errors: null });
    const lines = await readOutput(openai, batch.output_file_id);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(["one", "two", "three"]);
  });
});
