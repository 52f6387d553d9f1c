/** From a client's cancel to the engine's process: over a WebSocket to a miner, and its pipe to llama.cpp. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { EngineChildProcess } from "../../src/roles/miner/engines/child-process.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { readUntil } from "../harness/events.ts";
import { ollamaClient } from "../harness/ollama.ts";
import { openAiClient } from "../harness/openai.ts";
import { untilOffered } from "../harness/planned-miner.ts";

const MODEL = "aitbc-tiny";
/** From the cancel to the engine, in ms. */
const CANCEL_MS = 250;
const PROMPT = "Tell me a story about a fox";
const LONG = { temperature: 0, max_tokens: 200 } as const;

/**
 * Resolves with the time at which the engine's process is told to abort a run. Until then its pieces are taken from
 * it by nobody, so that nothing but the abort ends the run.
 */
function untilAborted(): Promise<number> {
  const aborted = Promise.withResolvers<number>();
  const { send } = EngineChildProcess.prototype;
  const spy = vi.spyOn(EngineChildProcess.prototype, "send").mockImplementation(function (
    this: EngineChildProcess,
    frame,
  ) {
    if (frame.type === "taken") return;
    send.call(this, frame);
    if (frame.type !== "abort") return;
    spy.mockRestore();
    aborted.resolve(performance.now());
  });
  onTestFinished(() => spy.mockRestore());
  return aborted.promise;
}

/** Begins a long job, waits for its first text, and ends it as a client of this API does; the time of that. */
type Way = (daemon: TestDaemon) => Promise<number>;

const viaJobs =
  (method: string, suffix: string): Way =>
  async (daemon) => {
    const payload = { type: "inference" as const, model: MODEL, prompt: PROMPT, ...LONG };
    const { job_id } = await daemon.client.submitJob({ payload });
    await readUntil(daemon.client, job_id, (event) => event.event === "chunk");
    const at = performance.now();
    const headers = { "x-api-key": daemon.keys.client };
    await fetch(`${daemon.url}/v1/jobs/${job_id}${suffix}`, { method, headers });
    return at;
  };

const viaOpenAi: Way = async (daemon) => {
  const messages = [{ role: "user" as const, content: PROMPT }];
  const stream = await openAiClient(daemon).chat.completions.create({
    ...LONG,
    model: MODEL,
    messages,
    stream: true,
  });
  const chunks = stream[Symbol.asyncIterator]();
  while (!(await chunks.next()).value?.choices[0]?.delta.content);
  const at = performance.now();
  stream.controller.abort();
  return at;
};

const viaOllama: Way = async (daemon) => {
  const ollama = ollamaClient(daemon);
  const options = { temperature: 0, num_predict: LONG.max_tokens };
  const stream = await ollama.generate({ model: MODEL, prompt: PROMPT, stream: true, options });
  const lines = stream[Symbol.asyncIterator]();
  while (!(await lines.next()).value?.response);
  const at = performance.now();
  ollama.abort();
  return at;
};

const WAYS: readonly [string, Way][] = [
  ["DELETE /v1/jobs/{id}", viaJobs("DELETE", "")],
  ["POST /v1/jobs/{id}/cancel", viaJobs("POST", "/cancel")],
  ["the abort of OpenAI's client", viaOpenAi],
  ["the abort of Ollama's client", viaOllama],
];

describe("a cancel", () => {
  let daemon: TestDaemon;
  let miner: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    miner = await TestDaemon.start({
      settings: {
        roles: "miner",
        "miner.coordinator_url": daemon.url,
        "client.api_key": daemon.keys.miner,
        "miner.slots": "1",
      },
    });
    await untilOffered(daemon, MODEL);
  });
  afterAll(async () => {
    await miner[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
  });

  it.each(WAYS)("by %s reaches the engine's process, and frees its only slot", async (_name, cancel) => {
    const aborted = untilAborted();
    const from = await cancel(daemon);
    expect((await aborted) - from).toBeLessThan(CANCEL_MS);
    const next = await daemon.client.submitJob({
      payload: { type: "inference", model: MODEL, prompt: "Hello", max_tokens: 1 },
    });
    expect((await daemon.client.waitForJob(next.job_id)).state).toBe("COMPLETED");
  });
});
