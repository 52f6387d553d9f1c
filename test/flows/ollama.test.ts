import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JobInput } from "../../src/client/client.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { readStream, readUntil } from "../harness/events.ts";
import { expectSound, receiptsOf } from "../harness/jobs.ts";
import { OllamaServer } from "../harness/ollama-server.ts";

const MODEL = "llama3.2:3b";
const PROMPT = "Why is the sky blue?";
const ASK: JobInput = { payload: { type: "inference", prompt: PROMPT, model: MODEL } };

let server: OllamaServer;
let daemon: TestDaemon;
beforeEach(async () => {
  server = await OllamaServer.start();
  server.models = [{ name: MODEL, digest: "a".repeat(64), context: 4096 }];
  daemon = await TestDaemon.start({
    settings: { roles: "coordinator,miner", "miner.engines.ollama.url": server.url, "miner.slots": "1" },
  });
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await server.stop();
});

describe("jobs on an Ollama server", () => {
  it("stream its answer, with a receipt", async () => {
    server.answer = ["Because ", "of ", "Rayleigh."];
    const { job_id } = await daemon.client.submitJob(ASK);
    const { text, end } = await readStream(daemon.client, job_id);
    expect(text).toBe("Because of Rayleigh.");
    expect(end).toMatchObject({ state: "COMPLETED", finish_reason: "stop" });
    expectSound(await receiptsOf(daemon.client, job_id), text, PROMPT);
  });

  it("go on where the server broke off, and never take that for the answer's end", async () => {
    server.answer = ["Because ", "of ", "Rayleigh."];
    server.breaks = { after: 2, how: "socket" };
    const { job_id } = await daemon.client.submitJob(ASK);
    await readUntil(daemon.client, job_id, (event) => event.event === "chunk");
    server.breaks = undefined;
    server.answer = ["Rayleigh."];
    const { text, end } = await readStream(daemon.client, job_id);
    expect(text).toBe("Because of Rayleigh.");
    expect(end).toMatchObject({ state: "COMPLETED" });
    expect(server.last("/api/chat")["messages"]).toEqual([
      { role: "user", content: PROMPT },
      { role: "assistant", content: "Because of " },
    ]);
    expect((await daemon.client.getResult(job_id)).result).toMatchObject({ segments: 2 });
  });

  it("fail when the server cannot do what they ask, and say why", async () => {
    server.refusal = { status: 400, reason: "the input length exceeds the context length" };
    const { job_id } = await daemon.client.submitJob(ASK);
    const { end } = await readStream(daemon.client, job_id);
    expect(end).toMatchObject({ state: "FAILED" });
    expect((await daemon.client.getJob(job_id)).error).toMatch(/INVALID_PAYLOAD.*exceeds the context length/);
  });

  it("stop at the server when they are canceled", async () => {
    server.endless = true;
    const { job_id } = await daemon.client.submitJob(ASK);
    await readUntil(daemon.client, job_id, (event) => event.event === "chunk");
    await daemon.client.cancelJob(job_id);
    await server.closed;
  });
});
