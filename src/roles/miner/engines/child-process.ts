import { type ChildProcess, spawn } from "node:child_process";
import { AppError } from "../../../kernel/errors.ts";
import { ChildFrame, type ParentFrame, parseFrame } from "./frames.ts";

/** Characters kept of what a child last wrote to stderr: enough for llama.cpp's own explanation of a crash. */
const MAX_STDERR_CHARS = 4096;

/** Variables with this prefix may hold keys, which a process running strangers' prompts has no use for. */
const OWN_VARIABLES = "AITBC_";
/** Options meant for the daemon's own Node. */
const NODE_VARIABLES: ReadonlySet<string> = new Set(["NODE_OPTIONS", "NODE_CHANNEL_FD"]);

/**
 * node-llama-cpp samples the sequences of a batch on libuv's threads at the same time, and llama.cpp puts the batch's
 * probabilities into their order at the first look (`llama_context::output_reorder`): with two threads one job could
 * get another's token. llama.cpp's own threads, which do the work, are not libuv's.
 */
const ONE_WORKER = { UV_THREADPOOL_SIZE: "1" };

/** What a child is started for. */
type Opening = Extract<ParentFrame, { type: "load" | "find_gpus" }>;
/** What a child says once that is done. */
export type Ready = Extract<ChildFrame, { type: "ready" }>;

export interface ChildEvents {
  /** A frame of a job. */
  frame(frame: Exclude<ChildFrame, { type: "ready" | "unusable" }>): void;
  /** The process has ended, however it did. Called once, last. */
  ended(child: EngineChildProcess): void;
}

/**
 * A child process with one loaded model, or none, in a process group of its own. Loading starts at once.
 */
export class EngineChildProcess {
  readonly #process: ChildProcess;
  readonly #events: ChildEvents;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #exited = Promise.withResolvers<void>();
  #stderr = "";
  #how = "";
  #isReady = false;

  constructor(command: readonly string[], opening: Opening, events: ChildEvents) {
    const [file = "", ...args] = command;
    this.#events = events;
    // Its own group, so that a kill also reaches whatever the native code started.
    this.#process = spawn(file, args, {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      detached: true,
      env: childEnvironment(process.env),
    });
    // A start that nobody waits for any more must not end the daemon as an unhandled rejection.
    this.#ready.promise.catch(() => {});
    this.#process.stderr?.on("data", (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-MAX_STDERR_CHARS);
    });
    this.#process.on("message", (message) => this.#receive(message));
    this.#process.on("error", (error) => this.#end(error.message));
    // Not `close`, which can wait for whoever inherited stderr; what was written last arrives in this turn.
    this.#process.on("exit", (code, signal) => {
      setImmediate(() => this.#end(signal ?? `exit code ${code}`));
    });
    this.send(opening);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves when the model is loaded. @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED when the child died. */
  get ready(): Promise<Ready> {
    return this.#ready.promise;
  }

  /** Whether the model is in memory. */
  get isReady(): boolean {
    return this.#isReady && this.#how === "";
  }

  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** Why jobs of this child failed, once it has ended. */
  get failure(): AppError {
    return new AppError("ENGINE_FAILED", `the engine's process ended (${this.#how})`, {
      meta: { how: this.#how, stderr: this.#stderr.trim() },
    });
  }

  send(frame: ParentFrame): void {
    // A child that is gone says so through `exit`; an error here would only say it twice.
    if (this.#process.connected) this.#process.send(frame, () => {});
  }

  /** Kills the process and everything it started. */
  kill(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // It ended between the decision and the signal.
    }
  }

  #receive(message: unknown): void {
    try {
      const frame = parseFrame(ChildFrame, message);
      if (frame.type === "ready") {
        this.#isReady = true;
        this.#ready.resolve(frame);
      } else if (frame.type === "unusable") this.#refuse(new AppError(frame.code, frame.detail));
      else this.#events.frame(frame);
    } catch (error) {
      // After a frame that is not understood nothing that it says can be relied on.
      this.#ready.reject(error);
      this.kill();
    }
  }

  #refuse(error: AppError): void {
    this.#ready.reject(error);
    this.kill();
  }

  #end(how: string): void {
    if (this.#how !== "") return;
    this.#how = how;
    this.#ready.reject(this.failure);
    this.#events.ended(this);
    this.#exited.resolve();
  }
}

function childEnvironment(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(own).filter(
    ([name]) => !name.startsWith(OWN_VARIABLES) && !NODE_VARIABLES.has(name),
  );
  return { ...Object.fromEntries(kept), ...ONE_WORKER };
}
