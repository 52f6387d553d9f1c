import { access, constants } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { AppError } from "../../../kernel/errors.ts";
import type { Log } from "../../../kernel/log.ts";
import { grammarOf } from "./child/request-grammar.ts";
import { EngineChildProcess, type Ready } from "./child-process.ts";
import {
  checkRequest,
  type EmbedRequest,
  type Engine,
  type EngineModel,
  type EngineProbe,
  type EngineRequest,
  type EngineResult,
  type RunOptions,
} from "./engine.ts";
import { EngineJob } from "./engine-job.ts";
import type { ChildFrame, ParentFrame } from "./frames.ts";
import type { GpuDevices } from "./gpu-devices.ts";
import { featuresOf } from "./llama-features.ts";
import { type ModelFile, readModelFile } from "./model-file.ts";
import { Slots } from "./slots.ts";

/** A child without work is stopped after this time in ms: a loaded model holds memory that others may need. */
export const IDLE_MS = 5 * 60_000;
/** How long a child may take to leave when asked before it is killed, in ms. */
const EXIT_GRACE_MS = 1000;
/** Context per job in tokens where nothing else is set: memory grows with it, and models announce up to a million. */
const DEFAULT_CONTEXT_TOKENS = 8192;

const MS_PER_SECOND = 1000;

/** Members of a request that the engine knows beyond the common ones. */
const MEMBERS = [
  "min_p",
  "frequency_penalty",
  "presence_penalty",
  "repeat_penalty",
  "logprobs",
  "format",
  "tools",
] as const;

/** What a child is asked to do, without the job's id. */
type Work =
  | Pick<Extract<ParentFrame, { type: "run" }>, "type" | "request">
  | Pick<Extract<ParentFrame, { type: "embed" }>, "type" | "request">;

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
  /** Threads; never more than the machine has cores. null takes all cores but one. */
  readonly threads: number | null;
  /** Context per job; null takes the model's, up to DEFAULT_CONTEXT_TOKENS. */
  readonly contextTokens: number | null;
  /** What it computes on; `false` is the processor. */
  readonly gpu: GpuDevices | false;
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
  readonly #open = new Set<EngineJob<Work>>();
  /** Jobs that hold a slot. */
  readonly #jobs = new Map<number, EngineJob<Work>>();
  #file: Promise<ModelFile> | undefined;
  #child: EngineChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** How long jobs had to wait for the model to be loaded, in ms. */
  readonly #loads = new Map<number, number>();
  /** How long a child may be idle, in ms, as the job that ended last wishes it. */
  #idleMs: number;
  #lastId = 0;
  #disposed = false;

  constructor(options: LlamaOptions) {
    this.#options = options;
    this.#slots = new Slots(options.slots);
    this.#idleMs = options.idleMs;
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
    return { available: true, version: `node-llama-cpp ${runtimeVersion}${this.#place()}` };
  }

  async models(): Promise<readonly EngineModel[]> {
    const file = await this.#modelFile();
    return [
      {
        name: this.#options.model,
        digest: file.digest,
        context_tokens: this.#contextTokens(file),
        features: featuresOf(file.architecture),
        loaded: this.#child?.isReady ?? false,
      },
    ];
  }

  async run(request: EngineRequest, options: RunOptions): Promise<EngineResult> {
    checkRequest(request, MEMBERS);
    // What no grammar can be made of is refused before a child is asked.
    grammarOf(request);
    return this.#perform({ type: "run", request }, options);
  }

  async embed(request: EmbedRequest, options: RunOptions): Promise<EngineResult> {
    return this.#perform({ type: "embed", request }, options);
  }

  async #perform(work: Work, options: RunOptions): Promise<EngineResult> {
    const { model } = work.request;
    if (model !== this.#options.model)
      throw new AppError("MODEL_NOT_FOUND", `the engine has no model ${model}`);
    options.signal.throwIfAborted();
    if (this.#disposed) throw stopping();
    const job = new EngineJob(work, options, () => this.#killHung());
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
  async #work(job: EngineJob<Work>): Promise<void> {
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
      const { child, startedMs } = await this.#startedChild();
      if (startedMs !== undefined) this.#loads.set(id, startedMs);
      if (job.stopSignal.aborted) this.#release(id);
      else this.#send(child, id, job);
    } catch (error) {
      job.fail(error);
      this.#release(id);
    }
  }

  #send(child: EngineChildProcess, id: number, job: EngineJob<Work>): void {
    job.stopSignal.addEventListener("abort", () => child.send({ type: "abort", id }), { once: true });
    child.send({ ...job.request, id });
  }

  /**
   * The running child, started where there is none, and how long that took for the one who started it. Rejects when
   * its model cannot be loaded.
   */
  async #startedChild(): Promise<{ child: EngineChildProcess; startedMs: number | undefined }> {
    clearTimeout(this.#idle);
    const contextTokens = this.#contextTokens(await this.#modelFile());
    if (this.#disposed) throw stopping();
    const { command, modelPath, threads, gpu } = this.#options;
    const cores = availableParallelism();
    const isFirst = this.#child === undefined;
    const startedAt = performance.now();
    this.#child ??= new EngineChildProcess(
      command,
      {
        type: "load",
        setup: {
          model_path: modelPath,
          slots: this.#slots.count,
          // llama.cpp slows down hundreds of times when its threads are more than the cores that it gets: one is left
          // to everything else, the daemon first.
          threads: Math.min(threads ?? Math.max(1, cores - 1), cores),
          context_tokens: contextTokens,
          gpu: gpu === false ? false : gpu.backend,
        },
      },
      { frame: (frame) => this.#receive(frame), ended: (child) => this.#ended(child) },
    );
    const child = this.#child;
    const ready = await child.ready;
    if (isFirst) this.#logPlace(ready);
    return { child, startedMs: isFirst ? performance.now() - startedAt : undefined };
  }

  /** What it computes on, as a version ends with it. */
  #place(): string {
    const { gpu } = this.#options;
    return gpu === false ? "" : ` on ${gpu.backend} (${gpu.devices.join(", ")})`;
  }

  #logPlace({ devices, layers, gpu_layers }: Ready): void {
    const { gpu, log } = this.#options;
    if (gpu === false) return;
    const fields = { engine: this.name, gpu: gpu.backend, devices, layers, gpu_layers };
    if (gpu_layers < layers)
      log.warn(fields, "model is larger than the GPU's memory: slower than it could be");
    else log.info(fields, "model is on the GPU");
  }

  #receive(frame: Exclude<ChildFrame, { type: "ready" | "unusable" }>): void {
    const job = this.#jobs.get(frame.id);
    if (job === undefined) return;
    switch (frame.type) {
      case "chunk":
        job.deliver(frame.piece, () => this.#child?.send({ type: "taken", id: frame.id }));
        return;
      case "done": {
        const { type: _, id, ...result } = frame;
        const load_ms = this.#loads.get(id);
        job.complete({ ...result, ...(load_ms !== undefined && { load_ms }) });
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
    const job = this.#jobs.get(id);
    job?.letGo();
    this.#jobs.delete(id);
    this.#loads.delete(id);
    const wish = job?.request.request.keep_alive_seconds;
    this.#idleMs = wish === undefined ? this.#options.idleMs : wish * MS_PER_SECOND;
    this.#slots.release();
    if (this.#jobs.size > 0 || this.#child === undefined) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#stopChild(), this.#idleMs).unref();
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
