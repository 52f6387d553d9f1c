import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Choice, readDeltas } from "../../src/domain/job/answer.ts";
import { type AnswerDelta, formatDelta } from "../../src/domain/job/deltas.ts";
import { createLog } from "../../src/kernel/log.ts";
import type { EngineRequest, EngineResult } from "../../src/roles/miner/engines/engine.ts";
import {
  createLlamaEngine,
  type LlamaEngine,
  type LlamaOptions,
} from "../../src/roles/miner/engines/llama.ts";

const root = join(import.meta.dirname, "../..");
const TINY = join(root, "src/app/assets/aitbc-tiny.gguf");
/** Long enough for a model to load on a busy machine. */
const DEADLINE_MS = 30_000;

export interface LlamaAnswer {
  readonly chunks: readonly (string | AnswerDelta)[];
  readonly text: string;
  /** What the deltas say together. */
  readonly choice: Choice | undefined;
  readonly result: EngineResult;
}

/** The llama engine on the built-in model, or another, in a child process. */
export class TestLlama implements AsyncDisposable {
  readonly engine: LlamaEngine;
  readonly #directory = mkdtempSync(join(tmpdir(), "aitbc-llama-"));

  constructor(options: Partial<LlamaOptions> = {}) {
    this.engine = createLlamaEngine({
      name: "llama",
      model: "tiny",
      modelPath: TINY,
      command: [process.execPath, join(root, "src/main.ts"), "__engine", this.#directory],
      runtimeVersion: "test",
      slots: 1,
      threads: 1,
      contextTokens: null,
      gpu: false,
      idleMs: 60_000,
      log: createLog({ level: "silent", format: "json", terminal: false }),
      ...options,
    });
  }

  /** Puts a question to it, greedily; or what `more` says. */
  async ask(content: string, more: Partial<EngineRequest> = {}): Promise<LlamaAnswer> {
    return this.answer({ messages: [{ role: "user", content }], ...more });
  }

  async answer(more: Partial<EngineRequest>): Promise<LlamaAnswer> {
    const chunks: (string | AnswerDelta)[] = [];
    const request = { model: "tiny", prefix: "", max_tokens: 200, temperature: 0, ...more };
    const result = await this.engine.run(request, {
      signal: new AbortController().signal,
      onChunk: (piece) => void chunks.push(piece),
      deadlineMs: DEADLINE_MS,
    });
    const deltas = chunks.map((piece) => (typeof piece === "string" ? { text: piece } : piece));
    const text = deltas.map((delta) => delta.text ?? "").join("");
    return { chunks, text, choice: readDeltas(deltas.map(formatDelta).join("")).choices[0], result };
  }

  /** The vectors of texts. */
  async embed(
    input: readonly string[],
    dimensions?: number,
  ): Promise<{ vectors: number[][]; result: EngineResult }> {
    const vectors: number[][] = [];
    const result = await this.engine.embed(
      { model: "tiny", input, ...(dimensions !== undefined && { dimensions }) },
      {
        signal: new AbortController().signal,
        deadlineMs: DEADLINE_MS,
        onChunk: (piece) => {
          if (typeof piece === "string" || piece.embedding === undefined) throw new Error("no vector");
          const bytes = Buffer.from(piece.embedding, "base64");
          vectors[piece.choice ?? 0] = Array.from({ length: bytes.length / 4 }, (_, at) =>
            bytes.readFloatLE(at * 4),
          );
        },
      },
    );
    return { vectors, result };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
