import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import { PASSWORD_CALLS, PASSWORD_WINDOW_SECONDS } from "../../../wire/wallet/limits.ts";
import type { Store } from "../ports.ts";
import { type Backoff, findBackoff, findPasswordCalls, putBackoff, putPasswordCalls } from "../store.ts";
import { remainingWait, waitAfterFailures } from "./backoff.ts";
import { decideCall } from "./window.ts";

const MS_PER_SECOND = 1000;
const LIMIT = { calls: PASSWORD_CALLS, windowMs: PASSWORD_WINDOW_SECONDS * MS_PER_SECOND };

/** What existing clients expect to read. */
const TOO_MANY = "rate limit exceeded";

function tooMany(detail: string, waitMs: number): AppError {
  return new AppError("RATE_LIMITED", detail, {
    meta: { retry_after_seconds: Math.max(1, Math.ceil(waitMs / MS_PER_SECOND)) },
  });
}

/**
 * How often passwords are tried. Everything it goes by is on disk before a password is looked at, so neither a
 * restart nor a crash in the middle of a try gives back what it cost.
 */
export class PasswordGate {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #onWrong: () => void;
  /** The last try of each wallet that has one running: they follow each other. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(deps: { store: Store; clock: Clock; onWrong: () => void }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#onWrong = deps.onWrong;
  }

  /** Counts a call of a password route for a wallet. @throws AppError RATE_LIMITED */
  async count(route: string, walletId: string): Promise<void> {
    const slot = `${route}:${walletId}`;
    const now = this.#clock.now();
    await this.#store.operation(async (tx) => {
      const decision = decideCall(await findPasswordCalls(tx, slot), now, LIMIT);
      if (!decision.allowed) throw tooMany(TOO_MANY, decision.retryAfterMs);
      await putPasswordCalls(tx, slot, decision.calls, { now, forgetBefore: now - LIMIT.windowMs });
    });
  }

  /**
   * Tries a password. Wrong ones in a row make the next try wait; a right one ends that.
   * @throws AppError RATE_LIMITED while it waits, and what the try throws
   */
  async attempt<T>(walletId: string, attempt: () => Promise<T>): Promise<T> {
    const before = this.#running.get(walletId) ?? Promise.resolve();
    const work = before.then(() => this.#attempt(walletId, attempt));
    const settled = work.catch(() => undefined);
    this.#running.set(walletId, settled);
    try {
      return await work;
    } finally {
      if (this.#running.get(walletId) === settled) this.#running.delete(walletId);
    }
  }

  async #attempt<T>(walletId: string, attempt: () => Promise<T>): Promise<T> {
    const earlier = await this.#reserve(walletId);
    const put = (backoff: Backoff) => this.#store.operation((tx) => putBackoff(tx, walletId, backoff));
    try {
      const value = await attempt();
      await put({ failures: 0, blocked_until: 0 });
      return value;
    } catch (error) {
      if (error instanceof AppError && error.code === "INVALID_CREDENTIALS") this.#onWrong();
      // Nothing was found out about the password.
      else await put(earlier);
      throw error;
    }
  }

  /** Counts the try as a wrong one, before it is made. Returns what was there. */
  async #reserve(walletId: string): Promise<Backoff> {
    const now = this.#clock.now();
    return this.#store.operation(async (tx) => {
      const earlier = await findBackoff(tx, walletId);
      const waitMs = remainingWait(earlier.failures, earlier.blocked_until, now);
      if (waitMs > 0) throw tooMany(`${TOO_MANY}: wrong passwords came before; wait`, waitMs);
      const failures = earlier.failures + 1;
      await putBackoff(tx, walletId, { failures, blocked_until: now + waitAfterFailures(failures) });
      return earlier;
    });
  }
}
