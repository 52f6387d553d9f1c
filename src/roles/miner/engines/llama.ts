import { access, constants } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { AppError } from "../../../kernel/errors.ts";
import type { Log } from "../../../kernel/log.ts";
import { EngineChildProcess } from "./child-process.ts";
import {
  checkRequest,
  type Engine,
  type EngineModel,
  type EngineProbe,
  type EngineRequest,
  type EngineResult,
  type RunOptions,
} from "./engine.ts";
import { EngineJob } from "./engine-job.ts";
import type { ChildFrame, Gpu } from "./frames.ts";
import { type ModelFile, readModelFile } from "./model-file.ts";
import { Slots } from "./slots.ts";

/** A child without work is stopped after this time in ms: a loaded model holds memory that others may need. */
export const IDLE_MS = 5 * 60_000;
/** How long a child may take to leave when asked before it is killed, in ms. */
const EXIT_GRACE_MS = 1000;
/** Context per job in tokens where nothing else is set: memory grows with it, and models announce up to a million. */
const DEFAULT_CONTEXT_TOKENS = 8192;

export interface LlamaOptions {
  /** Name of the engine in capabilities and logs. */
  readonly name: string;
  /** Program and arguments of a child process that ends up in `runEngineChild`. */
  readonly command: readonly string[];
  /** Version of node-llama-cpp; null where it is not installed. */
  readonly runtimeVersion: string | null;
  /** Name under which the model is offered. */
  readonly model: string;
  /** Path of its GGUF file. */
  readonly modelPath: string;
  /** Jobs at once, at least 1. */
  readonly slots: number;
  /** Threads; never more than the machine has cores. null takes all cores. */
  readonly threads: number | null;
  /** Context per job; null takes the model's, up to DEFAULT_CONTEXT_TOKENS. */
  readonly contextTokens: number | null;
  readonly gpu: Gpu;
  readonly idleMs: number;
  readonly log: Log;
}

/** The llama engine: one GGUF file, run by node-llama-cpp in a child process. */
export function createLlamaEngine(options: LlamaOptions): LlamaEngine {
  return new LlamaEngine(options);
}

export class LlamaEngine implements Engine {
  readonly #options: LlamaOptions;
  readonly #slots: Slots;
  /** Jobs whose caller waits for the outcome. */
  readonly #open = new Set<EngineJob>();
  /** Jobs that hold a slot. */
  readonly #jobs = new Map<number, EngineJob>();
  #file: Promise<ModelFile> | undefined;
  #child: EngineChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;
  #disposed = false;

  constructor(options: LlamaOptions) {
    this.#options = options;
    this.#slots = new Slots(options.slots);
  }

  get name(): string {
    return this.#options.name;
  }

  /** Process id of the child that runs at the moment. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async probe(): Promise<EngineProbe> {
    const { runtimeVersion, modelPath } = this.#options;
    if (runtimeVersion === null) return { available: false, reason: "node-llama-cpp is not installed" };
    try {
      await access(modelPath, constants.R_OK);
    } catch {
      return { available: false, reason: `${modelPath} cannot be read` };
    }
    return { available: true, version: `node-llama-cpp ${runtimeVersion}` };
  }

  async models(): Promise<readonly EngineModel[]> {
    const file = await this.#modelFile();
    return [{ name: this.#options.model, digest: file.digest, context_tokens: this.#contextTokens(file) }];
  }

  async run(request: EngineRequest, options: RunOptions): Promise<EngineResult> {
    checkRequest(request);
    if (request.model !== this.#options.model) {
      throw new AppError("MODEL_NOT_FOUND", `the engine has no model ${request.model}`);
    }
    options.signal.throwIfAborted();
    if (this.#disposed) throw stopping();
    const job = new EngineJob(request, options, () => this.#killHung());
    this.#open.add(job);
    void this.#work(job);
    return job.outcome.finally(() => this.#open.delete(job));
  }

  /**
   * A child has the slots that it was started with: running jobs end in it, later ones wait for that and get
   * another child.
   */
  resize(slots: number): void {
    this.#slots.resize(slots, () => void this.#stopChild());
  }

  /** Stops the child; running jobs fail with SHUTTING_DOWN. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const job of this.#open) job.fail(stopping());
    await this.#stopChild();
    for (const id of [...this.#jobs.keys()]) this.#release(id);
    clearTimeout(this.#idle);
  }

  /** Holds a slot until no child works on the job any more, even where its caller was answered long before. */
  async #work(job: EngineJob): Promise<void> {
    try {
      await this.#slots.take(job.stopSignal);
    } catch {
      // The wait ends early only when the job has failed.
      job.letGo();
      return;
    }
    const id = ++this.#lastId;
    this.#jobs.set(id, job);
    try {
      const child = await this.#startedChild();
      if (job.stopSignal.aborted) this.#release(id);
      else this.#send(child, id, job);
    } catch (error) {
      job.fail(error);
      this.#release(id);
    }
  }

  #send(child: EngineChildProcess, id: number, job: EngineJob): void {
    job.stopSignal.addEventListener("abort", () => child.send({ type: "abort", id }), { once: true });
    child.send({ type: "run", id, request: job.request });
  }

  /** The running child, started where there is none. Rejects when its model cannot be loaded. */
  async #startedChild(): Promise<EngineChildProcess> {
    clearTimeout(this.#idle);
    const contextTokens = this.#contextTokens(await this.#modelFile());
    if (this.#disposed) throw stopping();
    const { command, modelPath, threads, gpu } = this.#options;
    const cores = availableParallelism();
    this.#child ??= new EngineChildProcess(
      command,
      {
        model_path: modelPath,
        slots: this.#slots.count,
        // llama.cpp slows down hundreds of times with more threads than cores.
        threads: Math.min(threads ?? cores, cores),
        context_tokens: contextTokens,
        gpu,
      },
      { frame: (frame) => this.#receive(frame), ended: (child) => this.#ended(child) },
    );
    const child = this.#child;
    await child.ready;
    return child;
  }

  #receive(frame: Exclude<ChildFrame, { type: "ready" | "unusable" }>): void {
    const job = this.#jobs.get(frame.id);
    if (job === undefined) return;
    switch (frame.type) {
      case "chunk":
        job.deliver(frame.text, () => this.#child?.send({ type: "taken", id: frame.id }));
        return;
      case "done": {
        const { finish_reason, prompt_tokens, completion_tokens } = frame;
        job.complete({ finish_reason, prompt_tokens, completion_tokens });
        break;
      }
      case "failed":
        job.fail(new AppError(frame.code, frame.detail));
        break;
      case "aborted":
        break;
    }
    this.#release(frame.id);
  }

  #release(id: number): void {
    this.#jobs.get(id)?.letGo();
    this.#jobs.delete(id);
    this.#slots.release();
    if (this.#jobs.size > 0 || this.#child === undefined) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#stopChild(), this.#options.idleMs).unref();
  }

  /** A child has ended: what it worked on has failed, and the next job starts another. */
  #ended(child: EngineChildProcess): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    const failure = child.failure;
    if (this.#jobs.size > 0) {
      this.#options.log.warn({ engine: this.name, jobs: this.#jobs.size, ...failure.meta }, "engine ended");
    }
    for (const [id, job] of [...this.#jobs]) {
      job.fail(failure);
      this.#release(id);
    }
  }

  #killHung(): void {
    this.#options.log.warn({ engine: this.name }, "engine hangs past a deadline: killed");
    this.#child?.kill();
  }

  async #stopChild(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    if (child === undefined) return;
    // A job that comes while it leaves gets a new one.
    this.#child = undefined;
    child.send({ type: "exit" });
    const killing = setTimeout(() => child.kill(), EXIT_GRACE_MS);
    await child.exited.finally(() => clearTimeout(killing));
  }

  #modelFile(): Promise<ModelFile> {
    this.#file ??= readModelFile(this.#options.modelPath).catch((error: unknown) => {
      // A file that appears later is found later.
      this.#file = undefined;
      throw error;
    });
    return this.#file;
  }

  #contextTokens(file: ModelFile): number {
    const wanted = this.#options.contextTokens ?? DEFAULT_CONTEXT_TOKENS;
    return Math.min(wanted, file.trainContextTokens);
  }
}

function stopping(): AppError {
  return new AppError("SHUTTING_DOWN", "the engine stops");
}
