import { createHash } from "node:crypto";
import type { SecretBytes } from "../../../crypto/secret-bytes.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Ids, RandomBytes } from "../../../kernel/ids.ts";
import { MAX_SESSIONS } from "../../../wire/wallet/limits.ts";
import type { SessionOperation, SessionView } from "../../../wire/wallet/sessions.ts";
import type { Signer, UnlockedWallet } from "../signer/signer.ts";
import { type Now, type Scope, Session } from "./session.ts";

/**
 * Wallets whose keys are in memory at once: each has a process of its own. Below the signer's bound, so that there is
 * room for the processes that try passwords.
 */
const MAX_UNLOCKED = 12;
/** Bytes of a session's token. */
const TOKEN_BYTES = 32;
/** How often sessions are looked at, in ms: how much longer than its time an unused key stays in memory. */
const SWEEP_MS = 1_000;

/** Why a wallet was locked. */
export type LockReason = "asked" | "idle" | "expired" | "process ended" | "stopping";

export interface OpenedSession {
  readonly session: SessionView;
  /** What uses it; only its hash is kept. */
  readonly token: string;
}

/** A session that is being used, and the wallet's keys. */
export interface InUse {
  readonly sessionId: string;
  readonly unlocked: UnlockedWallet;
  /** To be called when nothing was signed. */
  giveBack(): void;
}

const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/**
 * The unlock sessions. They are in memory alone: a restart locks everything. All sessions of a wallet share the one
 * process that holds its keys, and the last of them takes it along.
 */
export class Sessions {
  readonly #signer: Signer;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #random: RandomBytes;
  readonly #onLocked: (walletId: string, reason: LockReason) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  /** By the hash of their token. */
  readonly #sessions = new Map<string, Session>();
  readonly #unlocked = new Map<string, UnlockedWallet>();
  /** Wallets that are being unlocked now: they count, too. */
  #opening = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: {
    signer: Signer;
    clock: Clock;
    ids: Ids;
    random: RandomBytes;
    /** The wallet's keys are out of memory. */
    onLocked: (walletId: string, reason: LockReason) => Promise<void>;
    /** A wallet that nobody asked to lock could not be locked. */
    onError: (error: unknown) => void;
  }) {
    this.#signer = deps.signer;
    this.#clock = deps.clock;
    this.#ids = deps.ids;
    this.#random = deps.random;
    this.#onLocked = deps.onLocked;
    this.#onError = deps.onError;
  }

  start(): void {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  get count(): number {
    return this.#sessions.size;
  }

  get unlockedCount(): number {
    return this.#unlocked.size;
  }

  isUnlocked(walletId: string): boolean {
    return this.#unlocked.has(walletId);
  }

  list(): SessionView[] {
    return [...this.#sessions.values()].map((session) => session.view());
  }

  /**
   * Checks the password and opens a session. The password is lent.
   * @throws AppError INVALID_CREDENTIALS, LIMIT_EXCEEDED, and what else `Signer.unlock` throws
   */
  async open(walletId: string, password: SecretBytes, scope: Scope): Promise<OpenedSession> {
    if (this.#sessions.size + this.#opening >= MAX_SESSIONS) {
      throw new AppError("LIMIT_EXCEEDED", `${MAX_SESSIONS} sessions are open already; end one first`);
    }
    if (!this.#unlocked.has(walletId) && this.#unlocked.size + this.#opening >= MAX_UNLOCKED) {
      throw new AppError("LIMIT_EXCEEDED", `${MAX_UNLOCKED} wallets are unlocked already; lock one first`);
    }
    this.#opening++;
    const fresh = await this.#signer.unlock(walletId, password).finally(() => this.#opening--);
    const held = this.#unlocked.get(walletId) ?? this.#hold(walletId, fresh);
    const token = Buffer.from(this.#random(TOKEN_BYTES)).toString("hex");
    const session = new Session(this.#ids.next(), walletId, scope, this.#now());
    this.#sessions.set(digestOf(token), session);
    if (held !== fresh) await fresh.lock();
    return { session: session.view(), token };
  }

  /**
   * Uses a session for one operation that moves an amount (µAIT).
   * @throws AppError WALLET_LOCKED where there is no such session any more, OUTSIDE_SCOPE
   */
  use(walletId: string, token: string, operation: SessionOperation, amount: bigint): InUse {
    const session = this.#sessions.get(digestOf(token));
    const unlocked = this.#unlocked.get(walletId);
    const now = this.#now();
    if (!session || !unlocked || session.walletId !== walletId || session.whyEnded(now) !== undefined) {
      throw new AppError("WALLET_LOCKED", "there is no such unlock session of this wallet; unlock it again");
    }
    return { sessionId: session.id, unlocked, giveBack: session.use(operation, amount, now) };
  }

  /** Ends one session, and locks its wallet where it was the last. @throws AppError SESSION_NOT_FOUND */
  async end(sessionId: string): Promise<SessionView> {
    const session = [...this.#sessions.values()].find(({ id }) => id === sessionId);
    if (!session) throw new AppError("SESSION_NOT_FOUND", "there is no such session; it may have ended");
    await this.#end(session, "asked");
    return session.view();
  }

  /** Ends all sessions of a wallet and kills the process that holds its keys. Whether there was one. */
  async lock(walletId: string, reason: LockReason = "asked"): Promise<boolean> {
    for (const [digest, session] of this.#sessions) {
      if (session.walletId === walletId) this.#sessions.delete(digest);
    }
    const unlocked = this.#unlocked.get(walletId);
    if (!unlocked) return false;
    this.#unlocked.delete(walletId);
    await unlocked.lock();
    await this.#onLocked(walletId, reason);
    return true;
  }

  /** Locks every wallet; which were unlocked. */
  async lockAll(reason: LockReason = "asked"): Promise<string[]> {
    const wallets = [...this.#unlocked.keys()];
    await Promise.all(wallets.map((walletId) => this.lock(walletId, reason)));
    return wallets;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.lockAll("stopping");
  }

  #now(): Now {
    return { monotonic: this.#clock.monotonic(), unix: this.#clock.now() };
  }

  #hold(walletId: string, unlocked: UnlockedWallet): UnlockedWallet {
    this.#unlocked.set(walletId, unlocked);
    void unlocked.ended.then(() => {
      // Whoever locks takes it out of the map first.
      if (this.#unlocked.get(walletId) === unlocked) {
        this.lock(walletId, "process ended").catch(this.#onError);
      }
    });
    return unlocked;
  }

  async #end(ending: Session, reason: LockReason): Promise<void> {
    let isLast = true;
    for (const [digest, session] of this.#sessions) {
      if (session === ending) this.#sessions.delete(digest);
      else if (session.walletId === ending.walletId) isLast = false;
    }
    if (isLast) await this.lock(ending.walletId, reason);
  }

  #sweep(): void {
    const now = this.#now();
    for (const session of [...this.#sessions.values()]) {
      const why = session.whyEnded(now);
      if (why !== undefined) this.#end(session, why).catch(this.#onError);
    }
  }
}
