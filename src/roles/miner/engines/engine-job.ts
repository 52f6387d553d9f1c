import { AppError } from "../../../kernel/errors.ts";
import type { EnginePiece, EngineRequest, EngineResult, RunOptions } from "./engine.ts";

/** How long past its deadline a job may hold its child before the child is killed, in ms. */
const KILL_GRACE_MS = 1000;

/**
 * One call of `run` or `embed`: its outcome for the caller, and its deadline. The caller's outcome is settled at once when
 * the job is aborted or late, while the child may still need a moment to let go of it.
 */
export class EngineJob<Request = EngineRequest> {
  readonly request: Request;
  readonly #options: RunOptions;
  readonly #onHang: () => void;
  readonly #outcome = Promise.withResolvers<EngineResult>();
  readonly #stop = new AbortController();
  readonly #deadline: NodeJS.Timeout;
  #kill: NodeJS.Timeout | undefined;
  #chunks: Promise<void> = Promise.resolve();
  #held = true;
  #settled = false;

  /** `onHang` is called when the job still holds its child one second past the deadline. */
  constructor(request: Request, options: RunOptions, onHang: () => void) {
    this.request = request;
    this.#options = options;
    this.#onHang = onHang;
    // The caller gets it from `outcome`; a job that fails before anyone asks must not end the daemon.
    this.#outcome.promise.catch(() => {});
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#deadline = setTimeout(this.#onDeadline, options.deadlineMs);
  }

  get outcome(): Promise<EngineResult> {
    return this.#outcome.promise;
  }

  /** Aborted when the job is to stop: by its caller, by its deadline, or because the caller's `onChunk` threw. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Hands a piece to the caller, after the pieces before it; `taken` is called when the caller wants more. */
  deliver(piece: EnginePiece, taken: () => void): void {
    this.#chunks = this.#chunks.then(async () => {
      if (this.#settled) return;
      try {
        await this.#options.onChunk(piece);
        taken();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** The child has answered: the outcome follows when the caller has taken every piece. */
  complete(result: EngineResult): void {
    void this.#chunks.then(() => this.#settle(() => this.#outcome.resolve(result)));
  }

  /** Ends the job for its caller, and asks its child to stop. */
  fail(reason: unknown): void {
    this.#settle(() => this.#outcome.reject(reason));
    this.#stop.abort(reason);
  }

  /** No child works on it any more. */
  letGo(): void {
    this.#held = false;
    this.#clearTimers();
  }

  readonly #onAbort = (): void => this.fail(this.#options.signal.reason);

  readonly #onDeadline = (): void => {
    this.fail(new AppError("TIMEOUT", `the job ran past its deadline of ${this.#options.deadlineMs} ms`));
    if (this.#held) this.#kill = setTimeout(this.#onHang, KILL_GRACE_MS);
  };

  #settle(tell: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    tell();
    this.#clearTimers();
  }

  /** The deadline counts until the caller has its outcome and the child has let go, whichever is later. */
  #clearTimers(): void {
    if (this.#held || !this.#settled) return;
    clearTimeout(this.#deadline);
    clearTimeout(this.#kill);
  }
}
