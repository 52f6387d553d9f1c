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
  /** Pieces that wait for the caller, with those to tell when it has taken them. */
  readonly #pieces: { readonly piece: EnginePiece; readonly taken: () => void }[] = [];
  /** Whether pieces are being handed over, or wait for one that the caller wants time for. */
  #handing = false;
  /** What the child has answered. */
  #result: EngineResult | undefined;
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

  /**
   * Hands a piece to the caller, after the pieces before it: at once, unless the caller still thinks about one of
   * those. `taken` is called when the caller wants more.
   */
  deliver(piece: EnginePiece, taken: () => void): void {
    if (this.#settled) return;
    this.#pieces.push({ piece, taken });
    if (!this.#handing) this.#handOver();
  }

  /** The child has answered: the outcome follows when the caller has taken every piece. */
  complete(result: EngineResult): void {
    this.#result = result;
    if (!this.#handing) this.#handOver();
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

  /** Hands over pieces, up to one that the caller wants time for; the outcome follows the last one. */
  #handOver(): void {
    this.#handing = true;
    try {
      for (let next = this.#pieces.shift(); next; next = this.#pieces.shift()) {
        if (this.#settled) return;
        const busy = this.#options.onChunk(next.piece);
        if (busy) {
          this.#goOnAfter(busy, next.taken);
          return;
        }
        next.taken();
      }
    } catch (error) {
      this.fail(error);
    }
    this.#handing = false;
    const result = this.#result;
    if (result) this.#settle(() => this.#outcome.resolve(result));
  }

  #goOnAfter(busy: Promise<void>, taken: () => void): void {
    busy.then(taken).then(
      () => this.#handOver(),
      (error: unknown) => this.fail(error),
    );
  }

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
