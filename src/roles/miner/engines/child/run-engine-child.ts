import { toAppError } from "../../../../kernel/errors.ts";
import {
  type Backend,
  type ChildFrame,
  type ModelSetup,
  ParentFrame,
  parseFrame,
  WINDOW_CHUNKS,
} from "../frames.ts";
import type { GenerateOptions } from "./generation.ts";
import type { LoadLlama } from "./llama-library.ts";
import { ModelRunner } from "./model-runner.ts";
import { openLlama } from "./open-llama.ts";
import { Window } from "./window.ts";

type WorkFrame = Extract<ParentFrame, { type: "run" | "embed" }>;

interface RunningJob {
  readonly abort: AbortController;
  readonly window: Window;
}

/**
 * The child's side of the llama engine: loads one model and runs jobs until the parent says `exit` or is gone.
 * Returns at once; the process lives as long as its IPC channel.
 */
export function runEngineChild(loadLlama: LoadLlama): void {
  // A service manager signals every process of the service. The parent decides what ends first: a child
  // that obeyed would break the jobs that the parent still drains.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  // The parent is gone, however it went. Native threads may still compute: only SIGKILL surely ends them.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  if (process.send === undefined) throw new Error("__engine is started by the daemon, not by hand");
  const child = new EngineChild(loadLlama);
  process.on("message", (message) => {
    try {
      child.receive(parseFrame(ParentFrame, message));
    } catch (error) {
      // The parent does not say what it means: it has to start another child.
      process.stderr.write(`${toAppError(error).message}\n`);
      process.exit(1);
    }
  });
}

function send(frame: ChildFrame): void {
  // A failed send means that the parent is gone, which `disconnect` handles.
  process.send?.(frame, undefined, undefined, () => {});
}

class EngineChild {
  readonly #loadLlama: LoadLlama;
  readonly #jobs = new Map<number, RunningJob>();
  #runner: ModelRunner | undefined;

  constructor(loadLlama: LoadLlama) {
    this.#loadLlama = loadLlama;
  }

  receive(frame: ParentFrame): void {
    switch (frame.type) {
      case "load":
        void this.#open(() => this.#load(frame.setup));
        break;
      case "find_gpus":
        void this.#open(() => this.#findGpus(frame.gpu));
        break;
      case "run":
      case "embed":
        void this.#run(frame);
        break;
      case "taken":
        this.#jobs.get(frame.id)?.window.taken();
        break;
      case "abort":
        this.#abort(frame.id);
        break;
      case "exit":
        process.exit(0);
    }
  }

  async #load(setup: ModelSetup): Promise<ChildFrame> {
    this.#runner = await ModelRunner.load(await this.#loadLlama(), setup);
    return { type: "ready", ...this.#runner.placement };
  }

  async #findGpus(gpu: Backend): Promise<ChildFrame> {
    const { devices } = await openLlama(await this.#loadLlama(), { gpu });
    return { type: "ready", devices, layers: 0, gpu_layers: 0 };
  }

  async #open(open: () => Promise<ChildFrame>): Promise<void> {
    try {
      send(await open());
    } catch (error) {
      const { code, message } = toAppError(error);
      send({ type: "unusable", code: code === "INTERNAL" ? "ENGINE_UNAVAILABLE" : code, detail: message });
    }
  }

  async #run(frame: WorkFrame): Promise<void> {
    const { id } = frame;
    const job: RunningJob = { abort: new AbortController(), window: new Window(WINDOW_CHUNKS) };
    this.#jobs.set(id, job);
    try {
      send(await this.#answer(frame, job));
    } catch (error) {
      const { code, message } = toAppError(error);
      send({ type: "failed", id, code: code === "INTERNAL" ? "ENGINE_FAILED" : code, detail: message });
    } finally {
      this.#jobs.delete(id);
    }
  }

  async #answer(frame: WorkFrame, { abort, window }: RunningJob): Promise<ChildFrame> {
    const runner = this.#runner;
    if (runner === undefined) throw new Error("no model is loaded");
    const { id } = frame;
    const options: GenerateOptions = {
      signal: abort.signal,
      emit: (piece) => {
        send({ type: "chunk", id, piece });
        return window.sent();
      },
    };
    const result =
      frame.type === "run"
        ? await runner.generate(frame.request, options)
        : await runner.embed(frame.request, options);
    return result === undefined ? { type: "aborted", id } : { type: "done", id, ...result };
  }

  #abort(id: number): void {
    const job = this.#jobs.get(id);
    job?.abort.abort();
    job?.window.open();
  }
}
