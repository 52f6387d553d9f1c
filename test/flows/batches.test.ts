import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import type OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chat, readOutput, toJsonl, untilEnded } from "../harness/batches.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { openAiClient } from "../harness/openai.ts";
import { untilOffered } from "../harness/planned-miner.ts";

/** The model that ships with the program, run by llama.cpp. */
const MODEL = "aitbc-tiny";

describe("OpenAI's client and a batch on the real built-in engine", () => {
  let daemon: TestDaemon;
  let openai: OpenAI;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.slots": "2" } });
    openai = openAiClient(daemon);
    await untilOffered(daemon, MODEL);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it("answers each line as the call itself does, in the order of the input", async () => {
    const lines = Array.from({ length: 12 }, (_, index) => ({
      custom_id: `sum-${index}`,
      body: chat(MODEL, `What is ${index} + 45?`),
    }));
    const path = join(daemon.dataDir, "sums.jsonl");
    writeFileSync(path, toJsonl(lines));
    const file = await openai.files.create({ file: createReadStream(path), purpose: "batch" });
    expect(file).toMatchObject({
      object: "file",
      filename: "sums.jsonl",
      purpose: "batch",
      status: "processed",
    });
    const created = await openai.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
      metadata: { run: "nightly" },
    });
    expect(created).toMatchObject({ object: "batch", status: "validating", metadata: { run: "nightly" } });
    const batch = await untilEnded(openai, created.id);
    expect(batch).toMatchObject({
      status: "completed",
      errors: null,
      error_file_id: null,
      request_counts: { total: 12, completed: 12, failed: 0 },
    });
    const output = await readOutput(openai, batch.output_file_id);
    expect(output.map(({ custom_id }) => custom_id)).toEqual(lines.map(({ custom_id }) => custom_id));
    const [, , third] = output;
    const direct = await openai.chat.completions.create(chat(MODEL, "What is 2 + 45?") as never);
    expect(third).toMatchObject({
      error: null,
      response: { status_code: 200, body: { object: "chat.completion", choices: direct.choices } },
    });
    expect(await daemon.metric('aitbc_gateway_batch_lines_total{state="completed"}')).toBe(12);
    expect(await daemon.metric('aitbc_gateway_batch_ended_total{status="completed"}')).toBe(1);
    const [job] = daemon.query<{ priority: number }>("select distinct priority from coordinator_job");
    expect(job?.priority).toBe(0);
    expect(await openai.files.retrieve(batch.output_file_id ?? "")).toMatchObject({
      purpose: "batch_output",
    });
  });
});
