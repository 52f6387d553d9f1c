import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { MinerBench, OTHER_JOB, silentLog } from "../../../test/harness/miner-bench.ts";
import type { ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";
import { MinerConfig } from "./config.ts";
import { createEngines } from "./engine-setup.ts";

// The miner with the real built-in engine: llama.cpp in a child process.

const root = join(import.meta.dirname, "../../..");
const payload = { model: "aitbc-tiny", temperature: 0 };

let bench: MinerBench;
let coordinator: ScriptedCoordinator;
beforeEach(async () => {
  bench = await MinerBench.create();
  ({ coordinator } = bench);
  const inputs = {
    command: () => [process.execPath, join(root, "src/main.ts"), "__engine", bench.directory],
    llamaRuntime: { version: "test", backends: [] },
    builtinModelPath: async () => join(root, "src/app/assets/aitbc-tiny.gguf"),
  };
  await bench.start({ slots: 1, max_unsecured_bytes: 1024 }, () =>
    createEngines({
      config: MinerConfig.parse({ slots: 1, engine: "builtin" }),
      inputs,
      probeGpus: async () => ({ gpus: [], cuda: null, attempts: [] }),
      log: silentLog,
    }),
  );
});
afterEach(() => bench.dispose());

it("infers, streams and signs", async () => {
  const { capabilities } = await coordinator.next("register");
  expect(capabilities.models).toMatchObject([{ name: "aitbc-tiny", engine: "builtin", context_tokens: 512 }]);
  const terms = coordinator.offer({ payload: { ...payload, prompt: "What is 37 + 45?" } });
  const complete = await coordinator.next("complete");
  expect(coordinator.text()).toBe("37 + 45 = 82.");
  expect(complete.finish_reason).toBe("stop");
  expect(complete.usage.completion_tokens).toBeGreaterThan(3);
  expect(coordinator.all("chunk").length).toBeGreaterThan(1);
  bench.expectGoodReceipt(terms, complete, "", "37 + 45 = 82.");
  bench.expectGoodProgress(terms, "37 + 45 = 82.");
});

it("goes on where another miner stopped, to the same answer", async () => {
  await coordinator.next("register");
  const story = { ...payload, prompt: "Tell me a story about a fox" };
  coordinator.offer({ payload: story });
  coordinator.confirm(await coordinator.next("complete"));
  const whole = coordinator.text();
  // Cut where a chunk ended: in the middle of a word the rest may be written in other tokens.
  const [first, second] = coordinator.all("chunk");
  const prefix = `${first?.text}${second?.text}`;
  expect(whole.length).toBeGreaterThan(prefix.length);
  coordinator.frames.length = 1;
  const terms = coordinator.offer({ payload: story, prefix, terms: { token: 2 } });
  await coordinator.until(() => coordinator.all("complete").length === 1);
  expect(prefix + coordinator.text(terms.start_byte)).toBe(whole);
});

it("stops the engine when the job is canceled, and takes the next", async () => {
  await coordinator.next("register");
  // Unconfirmed, the answer stops at the limit, so that the job surely runs when it is canceled.
  coordinator.acknowledges = false;
  const prompt = "one two three four five six seven eight nine ten one two three";
  const { job_id, token } = coordinator.offer({
    payload: { ...payload, prompt, raw: true, temperature: 1, seed: 7, max_tokens: 400 },
  });
  await coordinator.next("chunk");
  coordinator.send({ type: "cancel", job_id, token, reason: "client" });
  const terms = coordinator.offer({
    payload: { ...payload, prompt: "What is 2 + 2?" },
    terms: { job_id: OTHER_JOB },
  });
  const complete = await coordinator.next("complete");
  expect(complete.job_id).toBe(OTHER_JOB);
  bench.expectGoodReceipt(terms, complete, "", "2 + 2 = 4.");
});
