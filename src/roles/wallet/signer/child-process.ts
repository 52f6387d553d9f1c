import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { AppError, toAppError } from "../../../kernel/errors.ts";
import { type Call, Response } from "./calls.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";

/** Longest wait for one answer: a hundred times what the dearest call takes on a free machine. */
const CALL_TIMEOUT_MS = 60_000;
/** Characters kept of what a child last wrote to stderr. */
const MAX_STDERR_CHARS = 4096;
/** Variables that a process holding keys must not inherit: keys for other things, and options for Node. */
const FOREIGN = /^(?:AITBC_|NODE_)/;

/** A call's answer: the result as the child wrote it, and secret parts, which the caller wipes. */
export interface Answer {
  readonly result: unknown;
  readonly parts: readonly Uint8Array[];
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: AppError): void;
  readonly timer: NodeJS.Timeout;
}

/** A child process that opens keystore files, from the daemon's side. It starts at once, in a group of its own. */
export class SignerChildProcess {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #reader = new FrameReader();
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited = Promise.withResolvers<void>();
  #lastId = 0;
  #stderr = "";
  #how = "";

  /** `command`: the program and its arguments. */
  constructor(command: readonly string[]) {
    const [file = "", ...args] = command;
    this.#process = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))),
    });
    this.#process.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#process.stderr.on("data", (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-MAX_STDERR_CHARS);
    });
    // A child that is gone says so by its exit.
    this.#process.stdin.on("error", () => {});
    this.#process.on("error", (error) => this.#end(error.message));
    this.#process.on("exit", (code, signal) => this.#end(signal ?? `exit code ${code}`));
  }

  /** 0 when the process could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves when the process is gone, however it ended. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /**
   * Makes a call. The parts are lent; the copy that is sent is wiped.
   * @throws AppError what the call fails with; WALLET_LOCKED after `kill`; SIGNER_FAILED when the process ended by
   *   itself or does not answer
   */
  call(call: Call, parts: readonly Uint8Array[]): Promise<Answer> {
    if (this.#how !== "") return Promise.reject(this.#failure());
    const id = ++this.#lastId;
    const bytes = encodeFrame({ head: { id, call }, parts });
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => this.#end("no answer"), CALL_TIMEOUT_MS);
    this.#waiting.set(id, { resolve, reject, timer });
    this.#process.stdin.write(bytes, () => bytes.fill(0));
    return promise;
  }

  /** Kills the process; resolves when it is gone, and its memory with it. */
  kill(): Promise<void> {
    this.#end("killed");
    return this.exited;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#settle(frame);
    } catch (error) {
      // After a frame that is not understood nothing that it says can be relied on.
      this.#end(toAppError(error).message);
    }
  }

  #settle({ head, parts }: Frame): void {
    const response = Response.parse(head);
    const waiting = this.#waiting.get(response.id);
    if (waiting === undefined) return;
    this.#waiting.delete(response.id);
    clearTimeout(waiting.timer);
    if ("error" in response) {
      const { code, detail, meta } = response.error;
      waiting.reject(new AppError(code, detail, { meta }));
    } else waiting.resolve({ result: response.result, parts });
  }

  #end(how: string): void {
    const { exitCode, signalCode } = this.#process;
    const isGone = exitCode !== null || signalCode !== null || this.#process.pid === undefined;
    if (isGone) this.#exited.resolve();
    else this.#process.kill("SIGKILL");
    this.#how ||= how;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#failure());
    }
    this.#waiting.clear();
  }

  #failure(): AppError {
    if (this.#how === "killed") return new AppError("WALLET_LOCKED", "the wallet was locked");
    return new AppError("SIGNER_FAILED", `the process that holds the keys ended (${this.#how})`, {
      meta: { how: this.#how, stderr: this.#stderr.trim() },
    });
  }
}
