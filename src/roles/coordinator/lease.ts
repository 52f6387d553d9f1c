import { RunningHash } from "../../crypto/hash.ts";
import { type Meter, SegmentCounter } from "../../domain/job/meter.ts";
import type { Terms } from "../../domain/job/terms.ts";
import type { ReceiptProgress } from "../../domain/receipt/fields.ts";
import type { JobTable } from "./tables.ts";

/** How far the output of a lease's job is stored, in bytes. */
export interface StoredLease {
  readonly lease: Lease;
  readonly bytes: number;
}

/** Text as its miner delivered it, with its length in bytes. */
export interface Piece {
  readonly text: string;
  readonly bytes: number;
}

/** A signed statement of progress whose signature was not looked at yet. */
export interface Statement {
  readonly progress: ReceiptProgress;
  /** Whether the signature is the miner's. */
  verify(): Promise<boolean>;
}

/** What a lease hands to the database at once. */
export interface Pending {
  readonly pieces: readonly Piece[];
  /** Where they begin and end in the job's output. */
  readonly startByte: number;
  readonly endByte: number;
  /** The last progress, when it is new. */
  readonly progress: ReceiptProgress | undefined;
}

/** The connection that works on a lease. */
export interface LeaseHolder {
  readonly minerId: string;
  /** Tells the miner how far its jobs' output is stored. */
  acknowledge(stored: readonly StoredLease[]): void;
  /** Tells the miner to stop: the lease is over. */
  revoke(lease: Lease, frame: "cancel" | "fenced", code: string, detail: string): void;
}

/**
 * A running lease in this process: how far its text has come, and until when it holds. Deadlines are on the
 * monotonic clock. `ended` is set before the transaction that settles the lease, so that nothing is accepted
 * after it.
 */
export class Lease {
  readonly jobId: string;
  readonly token: number;
  readonly minerId: string;
  readonly terms: Terms;
  readonly termsHash: string;
  /** The job as it was when the lease was granted. */
  readonly job: JobTable;
  readonly payout: string | null;
  /** Monotonic ms. */
  readonly grantedAt: number;
  readonly deadlineAt: number;
  expiresAt: number;
  holder: LeaseHolder | undefined;
  ended = false;
  /** Last sequence number in the database. */
  lastSeq: number;
  /** Bytes of the job's output in the database, or on their way to it. */
  storedBytes: number;
  /** Bytes of the job's output that were accepted, stored or about to be. */
  acceptedBytes: number;
  progress: ReceiptProgress | undefined;
  /** When a statement was last verified, monotonic ms. */
  provenAt = Number.NEGATIVE_INFINITY;
  /** The newest statement, while it waits to be verified. */
  #unproven: Statement | undefined;
  /** Resolves when no statement is being verified. */
  #proving: Promise<void> = Promise.resolve();
  /** Text that waits for the next flush. */
  #pending: Piece[] = [];
  #pendingProgress = false;
  readonly #output: RunningHash;
  readonly #segment: RunningHash;
  readonly #units: SegmentCounter;

  constructor(options: {
    job: JobTable;
    terms: Terms;
    termsHash: string;
    /** The meter that the terms name. */
    meter: Meter;
    payout: string | null;
    grantedAt: number;
    expiresAt: number;
    deadlineAt: number;
    /** Text that earlier segments delivered. */
    prefix: string;
  }) {
    this.job = options.job;
    this.terms = options.terms;
    this.termsHash = options.termsHash;
    this.jobId = options.terms.job_id;
    this.token = options.terms.token;
    this.minerId = options.job.miner_id ?? "";
    this.payout = options.payout;
    this.grantedAt = options.grantedAt;
    this.expiresAt = options.expiresAt;
    this.deadlineAt = options.deadlineAt;
    this.lastSeq = options.job.last_seq;
    this.storedBytes = options.terms.start_byte;
    this.acceptedBytes = options.terms.start_byte;
    this.#output = new RunningHash();
    this.#output.update(options.prefix);
    // Where nothing was delivered before, the segment is the output.
    this.#segment = options.prefix === "" ? this.#output : new RunningHash();
    this.#units = new SegmentCounter(options.meter, options.prefix);
  }

  /** A sign of life at `now` (monotonic ms): the lease holds for another term. */
  renew(now: number, termMs: number): void {
    this.expiresAt = now + termMs;
  }

  /** Accepts text that follows what was accepted before. @throws AppError PROTOCOL_VIOLATION for what the meter refuses */
  accept(text: string, bytes: number): void {
    // The meter first: what it refuses is not accepted at all.
    this.#units.add(text);
    this.#hash(text);
    this.acceptedBytes += bytes;
    this.#pending.push({ text, bytes });
  }

  /** Takes over what this segment has stored already (after a restart), in chunks to the number `lastSeq`. */
  restore(text: string, bytes: number, progress: ReceiptProgress | undefined, lastSeq: number): void {
    this.lastSeq = lastSeq;
    this.#hash(text);
    this.#units.add(text);
    this.acceptedBytes += bytes;
    this.storedBytes = this.acceptedBytes;
    this.progress = progress;
  }

  #hash(text: string): void {
    this.#output.update(text);
    if (this.#segment !== this.#output) this.#segment.update(text);
  }

  /** Takes a statement that is to be verified. Returns whether none waits for that already: a newer one takes its place. */
  claim(statement: Statement): boolean {
    const isFirst = this.#unproven === undefined;
    const newest = this.#unproven?.progress ?? this.progress;
    if (statement.progress.seq > (newest?.seq ?? 0)) this.#unproven = statement;
    return isFirst;
  }

  /**
   * Verifies the statement that waits, if any, and notes it, after one that is being verified. False where its signature
   * is not the miner's.
   */
  prove(now: number): Promise<boolean> {
    const proven = this.#proving.then(() => this.#prove(now));
    // Whoever asked hears of a failure, and not the one who asks next.
    this.#proving = proven.then(
      () => {},
      () => {},
    );
    return proven;
  }

  async #prove(now: number): Promise<boolean> {
    const statement = this.#unproven;
    this.#unproven = undefined;
    if (!statement) return true;
    this.provenAt = now;
    if (!(await statement.verify())) return false;
    const { progress } = statement;
    if (progress.seq > (this.progress?.seq ?? 0)) {
      this.progress = progress;
      this.#pendingProgress = true;
    }
    return true;
  }

  /** How long the job may still run, in ms. */
  leftMs(now: number): number {
    return Math.min(this.#wholeMs, Math.max(0, this.deadlineAt - now));
  }

  /** How much of the job's time this lease has used up, in ms. */
  usedMs(now: number): number {
    return this.#wholeMs - this.leftMs(now);
  }

  /** What the job's earlier leases left of its time, in ms. */
  get #wholeMs(): number {
    return Math.max(0, this.job.max_run_ms - this.job.run_ms);
  }

  /** SHA-256 of the job's whole output up to here, as hex. */
  outputSha256(): string {
    return this.#output.hex();
  }

  /** SHA-256 of what this lease delivered, as hex. */
  segmentSha256(): string {
    return this.#segment.hex();
  }

  /** Units of what this lease delivered. */
  get deliveredUnits(): number {
    return this.#units.units;
  }

  /** Whether the answer may end with what was accepted. */
  get whole(): boolean {
    return this.#units.whole;
  }

  /** Bytes that were accepted and are not handed to the database. */
  get unstoredBytes(): number {
    return this.acceptedBytes - this.storedBytes;
  }

  get hasPending(): boolean {
    return this.#pending.length > 0 || this.#pendingProgress;
  }

  /** Takes what waits for the database. */
  takePending(): Pending {
    const pieces = this.#pending;
    const progress = this.#pendingProgress ? this.progress : undefined;
    this.#pending = [];
    this.#pendingProgress = false;
    const startByte = this.storedBytes;
    this.storedBytes = this.acceptedBytes;
    return { pieces, startByte, endByte: this.acceptedBytes, progress };
  }
}
