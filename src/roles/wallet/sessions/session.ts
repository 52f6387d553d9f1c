import { AppError } from "../../../kernel/errors.ts";
import { formatTime } from "../../../wire/scalars.ts";
import type { SessionOperation, SessionView } from "../../../wire/wallet/sessions.ts";

/** What a session may do, and for how long. Times in ms. */
export interface Scope {
  readonly operations: readonly SessionOperation[];
  /** What everything signed in it may move together, in µAIT. */
  readonly maxAmount: bigint;
  readonly idleMs: number;
  readonly maxMs: number;
}

/** Now, by both clocks: `monotonic` decides, `unix` is told. */
export interface Now {
  readonly monotonic: number;
  readonly unix: number;
}

/** An unlock session: the right to use a wallet's keys within a scope. It holds no key. */
export class Session {
  readonly id: string;
  readonly walletId: string;
  readonly #scope: Scope;
  readonly #opened: Now;
  #used: Now;
  #spent = 0n;

  constructor(id: string, walletId: string, scope: Scope, now: Now) {
    this.id = id;
    this.walletId = walletId;
    this.#scope = scope;
    this.#opened = now;
    this.#used = now;
  }

  /** Why it has ended by now; undefined while it goes on. */
  whyEnded({ monotonic }: Pick<Now, "monotonic">): "idle" | "expired" | undefined {
    if (monotonic >= this.#opened.monotonic + this.#scope.maxMs) return "expired";
    return monotonic >= this.#used.monotonic + this.#scope.idleMs ? "idle" : undefined;
  }

  /**
   * Uses it for an operation that moves an amount (µAIT). Returns what gives the amount back when nothing was signed.
   * @throws AppError OUTSIDE_SCOPE
   */
  use(operation: SessionOperation, amount: bigint, now: Now): () => void {
    const { operations, maxAmount } = this.#scope;
    if (!operations.includes(operation)) {
      throw new AppError("OUTSIDE_SCOPE", `this session allows ${operations.join(" and ")} only`);
    }
    if (this.#spent + amount > maxAmount) {
      const left = maxAmount - this.#spent;
      throw new AppError("OUTSIDE_SCOPE", `this session may still move ${left} µAIT, not ${amount}`);
    }
    this.#used = now;
    this.#spent += amount;
    return () => {
      this.#spent -= amount;
    };
  }

  view(): SessionView {
    const { operations, maxAmount, idleMs, maxMs } = this.#scope;
    return {
      session_id: this.id,
      wallet_id: this.walletId,
      operations: [...operations],
      max_amount_uait: String(maxAmount),
      spent_uait: String(this.#spent),
      opened_at: formatTime(this.#opened.unix),
      idle_ends_at: formatTime(this.#used.unix + idleMs),
      ends_at: formatTime(this.#opened.unix + maxMs),
    };
  }
}
