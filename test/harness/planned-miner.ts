import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openSessionChannel } from "../../src/client/session-channel.ts";
import { FEATURES } from "../../src/domain/job/answer.ts";
import { BYTES_ONLY } from "../../src/domain/job/meters.ts";
import { createSystemClock } from "../../src/kernel/clock.ts";
import { systemRandomBytes } from "../../src/kernel/ids.ts";
import { createLog } from "../../src/kernel/log.ts";
import { createMetrics } from "../../src/kernel/metrics.ts";
import { MinerConfig } from "../../src/roles/miner/config.ts";
import type {
  EmbedRequest,
  EngineModel,
  EngineResult,
  RunOptions,
} from "../../src/roles/miner/engines/engine.ts";
import { Miner } from "../../src/roles/miner/miner.ts";
import type { TestDaemon } from "./daemon.ts";
import { PlannedEngine } from "./planned-engine.ts";
import { poll } from "./poll.ts";

/** A model that claims to do everything: what it says is played by the test. */
export const PLANNED_MODEL = "acme/planned:7b";

const FLOAT_BYTES = 4;
/** Length of the vectors where nobody asks for another. */
const DIMENSIONS = 3;

/** The vector of a text, which any test can work out: its length and the number of the dimension. */
export const plannedVector = (text: string, dimensions = DIMENSIONS): number[] =>
  Array.from({ length: dimensions }, (_, index) => text.length + index / 2);

class PlannedModelEngine extends PlannedEngine {
  readonly #model: EngineModel;

  constructor(model: Partial<EngineModel>) {
    super();
    this.#model = {
      name: PLANNED_MODEL,
      digest: "sha256:00",
      context_tokens: 4096,
      features: FEATURES,
      ...model,
    };
  }

  override async models(): Promise<readonly EngineModel[]> {
    return [this.#model];
  }

  async embed({ input, dimensions }: EmbedRequest, { onChunk }: RunOptions): Promise<EngineResult> {
    for (const [choice, text] of input.entries()) {
      const vector = plannedVector(text, dimensions);
      const bytes = Buffer.alloc(vector.length * FLOAT_BYTES);
      for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * FLOAT_BYTES);
      await onChunk({ choice, embedding: bytes.toString("base64") });
    }
    return { finish_reason: "stop", prompt_tokens: input.join("").length, completion_tokens: 0 };
  }
}

/**
 * A real miner, connected to a real daemon, with a planned engine behind it: a fake that stands for models which
 * call tools, see images or stop at one exact moment, which the built-in one cannot be made to do. Ends with the test.
 */
export async function joinPlanned(
  daemon: TestDaemon,
  model: Partial<EngineModel> = {},
  slots = 4,
): Promise<PlannedEngine & { leave(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), "aitbc-planned-"));
  const engine = new PlannedModelEngine(model);
  const apiKey = daemon.keys.miner;
  const miner = new Miner({
    config: MinerConfig.parse({ name: "planned", drain_seconds: 0, slots }),
    link: {
      label: daemon.url,
      open: () => openSessionChannel({ url: daemon.url, apiKey }),
      openArtifact: (sha256, signal) => daemon.clientWith(apiKey).openArtifact(sha256, signal),
    },
    log: createLog({ level: "silent", format: "json", terminal: false }),
    metrics: createMetrics(),
    clock: createSystemClock(),
    random: systemRandomBytes,
    meters: BYTES_ONLY,
    identityFile: join(directory, "miner", "identity.key"),
    lockDirectory: () => ({ [Symbol.dispose]: () => {} }),
    probeGpus: async () => ({ gpus: [], cuda: null, attempts: [] }),
    createEngines: async () => [engine],
  });
  let left: Promise<void> | undefined;
  const leave = () => {
    left ??= miner[Symbol.asyncDispose]().then(() => rmSync(directory, { recursive: true, force: true }));
    return left;
  };
  onTestFinished(leave);
  const name = model.name ?? PLANNED_MODEL;
  await miner.start(new AbortController().signal);
  await untilOffered(daemon, name);
  return Object.assign(engine, { leave });
}

/** Asks until a miner offers a model, and returns it as OpenAI's API shows it. */
export function untilOffered(daemon: TestDaemon, name: string): Promise<unknown> {
  const find = async (): Promise<unknown> => {
    const response = await fetch(`${daemon.url}/v1/models`, { headers: { "x-api-key": daemon.keys.client } });
    // The route's contract.
    const { data } = (await response.json()) as { data: { id: string }[] };
    return data.find(({ id }) => id === name);
  };
  return poll(find, (model) => model !== undefined);
}
