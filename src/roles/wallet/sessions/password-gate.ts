import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Store } from "../ports.ts";
import { type Backoff, countPasswordCall, putBackoff, reservePasswordTry } from "./store.ts";

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
    await this.#store.operation(countPasswordCall, `${route}:${walletId}`, this.#clock.now());
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
    const earlier = await this.#store.operation(reservePasswordTry, walletId, this.#clock.now());
    const put = (backoff: Backoff) => this.#store.operation(putBackoff, walletId, backoff);
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
}
