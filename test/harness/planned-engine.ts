import type {
  Engine,
  EngineModel,
  EnginePiece,
  EngineRequest,
  EngineResult,
  RunOptions,
} from "../../src/roles/miner/engines/engine.ts";

/** One run of a planned engine, under the test's control. */
export interface PlannedRun {
  readonly request: EngineRequest;
  readonly options: RunOptions;
  /** Writes text, or what text alone cannot say; resolves when the caller wants more. */
  write(piece: EnginePiece): Promise<void>;
  end(result?: Partial<EngineResult>): void;
  fail(error: Error): void;
  /** Resolves when the run was aborted. */
  readonly aborted: Promise<void>;
}

/**
 * An engine whose runs the test plays itself, for what a real engine cannot be made to do on demand: to hang, to
 * flood, to break, to end at one exact moment. Like a real one it rejects at once when it is aborted.
 */
export class PlannedEngine implements Engine {
  readonly name: string = "planned";
  readonly runs: PlannedRun[] = [];
  disposed = false;
  #arrived = Promise.withResolvers<void>();

  async probe() {
    return { available: true, version: "1" } as const;
  }

  async models(): Promise<readonly EngineModel[]> {
    return [{ name: "test", digest: "sha256:00", context_tokens: 1024, features: ["text"] }];
  }

  run(request: EngineRequest, options: RunOptions): Promise<EngineResult> {
    const outcome = Promise.withResolvers<EngineResult>();
    const aborted = Promise.withResolvers<void>();
    options.signal.addEventListener("abort", () => {
      aborted.resolve();
      outcome.reject(options.signal.reason);
    });
    this.runs.push({
      request,
      options,
      aborted: aborted.promise,
      write: async (piece) => options.onChunk(piece),
      end: (result) =>
        outcome.resolve({ finish_reason: "stop", prompt_tokens: 3, completion_tokens: 7, ...result }),
      fail: (error) => outcome.reject(error),
    });
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
    return outcome.promise;
  }

  /** The run of this number, from 0, once it has begun. */
  async nth(index: number): Promise<PlannedRun> {
    for (;;) {
      const run = this.runs[index];
      if (run) return run;
      await this.#arrived.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}
