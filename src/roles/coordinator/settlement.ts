import { equalBytes, fromBase64Url, utf8Length } from "../../crypto/bytes.ts";
import { whyNotContinuable } from "../../domain/job/answer.ts";
import { backoffMs } from "../../domain/job/backoff.ts";
import { type JobEvent, type JobState, transition } from "../../domain/job/state.ts";
import { buildReceipt, leavesReceipt, type SegmentOutcome } from "../../domain/receipt/build.ts";
import { compareReceipt } from "../../domain/receipt/compare.ts";
import type { Outcome, Receipt } from "../../domain/receipt/fields.ts";
import { receiptFromJson } from "../../domain/receipt/parse.ts";
import {
  attestReceiptAsync,
  canonicalReceipt,
  receiptHash,
  verifyBlockAsync,
} from "../../domain/receipt/sign.ts";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { BusEvents } from "../../wire/events.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import { MAX_CONTINUED_BYTES } from "../../wire/limits.ts";
import { publishPortion, takePortion } from "./delivery.ts";
import { type Completion, type Ending, type LeaseFailure, leaseName, toEndingRows } from "./ending.ts";
import type { FairShare } from "./fair-share.ts";
import type { CoordinatorIdentity } from "./identity.ts";
import type { Lease } from "./lease.ts";
import type { Backlog, Leases } from "./leases.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { Store } from "./ports.ts";
import type { Requirements } from "./requirements.ts";
import { type Answer, findAnswer } from "./store/answers.ts";
import { findReceipt } from "./store/delivery.ts";
import { endLease } from "./store/endings.ts";
import type { Streams } from "./streams.ts";
import type { JobTable } from "./tables.ts";

const PPM = 1_000_000;

/**
 * Ends leases. State, last text, segment, receipt and queue entry of an ending are one transaction, fenced by
 * the lease's token: of two endings one wins, and the other changes nothing.
 */
export class Settlement {
  readonly #store: Store;
  readonly #bus: Bus<BusEvents>;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #identity: CoordinatorIdentity;
  readonly #streams: Streams;
  readonly #leases: Leases;
  readonly #backlog: Backlog;
  readonly #health: MinerHealth;
  readonly #fair: FairShare;
  readonly #requirements: Requirements;
  readonly #onUnsettled: (jobId: string) => void;
  /** Endings under way, by lease: who hands in the same again waits for them. */
  readonly #ending = new Map<string, Promise<unknown>>();

  constructor(options: {
    store: Store;
    bus: Bus<BusEvents>;
    clock: Clock;
    random: RandomBytes;
    identity: CoordinatorIdentity;
    streams: Streams;
    leases: Leases;
    backlog: Backlog;
    health: MinerHealth;
    fair: FairShare;
    requirements: Requirements;
    /** Hears of a lease whose ending could not be written: it must be taken up again from its rows. */
    onUnsettled: (jobId: string) => void;
  }) {
    this.#store = options.store;
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#identity = options.identity;
    this.#streams = options.streams;
    this.#leases = options.leases;
    this.#backlog = options.backlog;
    this.#health = options.health;
    this.#fair = options.fair;
    this.#requirements = options.requirements;
    this.#onUnsettled = options.onUnsettled;
  }

  /**
   * Ends a lease that did not complete. The job waits again when the failure allows it, attempts and time
   * remain; otherwise it ends. Returns the job's new state, or undefined when the lease had ended before.
   */
  async fail(lease: Lease, failure: LeaseFailure): Promise<JobState | undefined> {
    if (lease.ended) return undefined;
    return this.#end(lease, () => this.#fail(lease, failure));
  }

  async #fail(lease: Lease, failure: LeaseFailure): Promise<JobState | undefined> {
    const now = this.#clock.now();
    const { job } = lease;
    const timeLeft = lease.leftMs(this.#clock.monotonic()) > 0;
    const hindrance = failure.retry ? whyLost(lease) : undefined;
    const requeue =
      failure.retry && timeLeft && !hindrance && (failure.unbegun || job.attempts < job.max_attempts);
    const event: JobEvent = failure.outcome === "canceled" ? "cancel" : requeue ? "requeue" : "fail";
    // Its receipt rests on the miner's last statement. A forged one is worth nothing, and so is left out.
    await lease.prove(this.#clock.monotonic());
    const portion = takePortion(lease);
    const receipt = leavesReceipt(portion.endByte - lease.terms.start_byte, failure.outcome)
      ? this.#buildReceipt(lease, failure.outcome, event !== "requeue", lease.progress)
      : undefined;
    const receiptBytes = receipt && canonicalReceipt(receipt);
    const again = requeue ? await this.#queueAgain(job) : undefined;
    const ending: Ending = {
      lease,
      portion,
      state: transition("RUNNING", event),
      outcome: failure.outcome,
      error: hindrance === undefined ? failure.error : `NOT_CONTINUABLE: ${hindrance}; ${failure.error}`,
      finishReason: null,
      usage: null,
      receipt: receipt && (await attestReceiptAsync(receipt, this.#identity.secretKey, receiptBytes)),
      receiptBytes,
      unbegun: requeue && failure.unbegun === true,
      wakeAt: requeue ? now + this.#backoff(job.attempts) : undefined,
      again,
      now,
    };
    const isWritten = await this.#commit(ending).catch((error: unknown) => {
      if (again) this.#fair.withdraw(again);
      throw error;
    });
    if (!isWritten) {
      if (again) this.#fair.withdraw(again);
      return undefined;
    }
    // What no other miner could do better either is the job's fault, or its client's wish.
    if (failure.retry && failure.error !== null && !failure.unbegun) {
      if (failure.outcome === "lease_lost") this.#health.lost(lease.minerId, failure.error);
      else this.#health.failed(lease.minerId, lease.terms.model, failure.error);
    }
    return ending.state;
  }

  /**
   * Ends a lease with a complete answer. The miner's receipt must say what the terms and the coordinator's own
   * meter say, and carry the miner's signature; the coordinator attests it. The same answer twice gets the
   * stored receipt. @throws AppError STALE_LEASE, INVALID_RECEIPT, INVALID_SIGNATURE, PROTOCOL_VIOLATION
   */
  async complete(lease: Lease, completion: Completion, minerPublicKey: Uint8Array): Promise<Receipt> {
    const receipt = receiptFromJson(completion.receipt);
    const expected = this.#buildReceipt(lease, "completed", true, undefined);
    const differing = compareReceipt(expected, receipt);
    if (differing.length > 0) {
      throw new AppError("INVALID_RECEIPT", `the receipt differs from the terms at ${differing.join(", ")}`);
    }
    const receiptBytes = canonicalReceipt(receipt);
    const { signature } = receipt;
    const isMiners = signature && equalBytes(fromBase64Url("key_id", signature.key_id), minerPublicKey);
    if (!isMiners || !(await verifyBlockAsync(signature, receiptBytes))) {
      throw new AppError("INVALID_SIGNATURE", "the receipt is not signed by the miner's identity key");
    }
    const attested = await attestReceiptAsync(receipt, this.#identity.secretKey, receiptBytes);
    // The same answer may have come twice, and the other one was faster.
    if (lease.ended) return this.#replay(lease.jobId, lease.token, receipt);
    // While the signatures were made, frames went on arriving: the receipt must cover what is stored, all of it.
    if (lease.acceptedBytes !== receipt.metadata.end_byte) {
      throw new AppError("PROTOCOL_VIOLATION", "text came after the completion");
    }
    if (!lease.whole) throw new AppError("PROTOCOL_VIOLATION", "the answer ends in the middle of a line");
    const { finish_reason: finishReason } = completion;
    const usage = JSON.stringify(completion.usage);
    return this.#end(lease, () =>
      this.#commitCompleted(lease, attested, receiptBytes, {
        portion: takePortion(lease),
        finishReason,
        usage,
      }),
    );
  }

  /**
   * Ends a lease with the whole answer of a miner that holds no key: the receipt carries the coordinator's
   * attestation alone. From the call on, nothing else is accepted under the lease. @throws AppError STALE_LEASE
   */
  async completeUnsigned(lease: Lease, text: string, answer: Answer): Promise<Receipt> {
    if (lease.ended) throw staleLease();
    return this.#end(lease, async () => {
      lease.accept(text, utf8Length(text));
      const portion = takePortion(lease);
      const receipt = this.#buildReceipt(lease, "completed", true, undefined);
      const receiptBytes = canonicalReceipt(receipt);
      const attested = await attestReceiptAsync(receipt, this.#identity.secretKey, receiptBytes);
      const rest = { portion, finishReason: "stop", usage: null, answer };
      return this.#commitCompleted(lease, attested, receiptBytes, rest);
    });
  }

  async #commitCompleted(
    lease: Lease,
    receipt: Receipt,
    receiptBytes: Uint8Array,
    rest: Pick<Ending, "portion" | "finishReason" | "usage" | "answer">,
  ): Promise<Receipt> {
    const held = await this.#commit({
      ...rest,
      lease,
      state: transition("RUNNING", "complete"),
      outcome: "completed",
      error: null,
      receipt,
      receiptBytes,
      wakeAt: undefined,
      now: this.#clock.now(),
    });
    if (!held) throw staleLease();
    this.#health.succeeded(lease.minerId, lease.terms.model);
    return receipt;
  }

  /** Runs the one ending of a lease. Nothing is accepted under it from here on. */
  async #end<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
    this.#leases.remove(lease);
    const name = leaseName(lease.jobId, lease.token);
    const ending = work();
    this.#ending.set(name, ending);
    try {
      return await ending;
    } finally {
      this.#ending.delete(name);
    }
  }

  /** Resolves when no ending of this lease is under way: then its rows say how it ended. */
  async settled(jobId: string, token: number): Promise<void> {
    await Promise.allSettled([this.#ending.get(leaseName(jobId, token))]);
  }

  /** The receipt of an answer that comes again under the same token. @throws AppError STALE_LEASE */
  async replayUnsigned(jobId: string, token: number, sha256: string): Promise<unknown> {
    const { db } = this.#store;
    const [answer, stored] = [await findAnswer(db, jobId), await findReceipt(db, jobId, token)];
    if (!stored || answer?.token !== token || answer.sha256 !== sha256) throw staleLease();
    return JSON.parse(stored.document);
  }

  /** The stored answer to a `complete` that comes again with the same receipt. @throws AppError STALE_LEASE */
  async replay(jobId: string, token: number, receiptJson: unknown): Promise<Receipt> {
    return this.#replay(jobId, token, receiptFromJson(receiptJson));
  }

  async #replay(jobId: string, token: number, receipt: Receipt): Promise<Receipt> {
    await this.settled(jobId, token);
    const stored = await findReceipt(this.#store.db, jobId, token);
    if (!stored || stored.hash !== receiptHash(receipt)) throw staleLease();
    // The column was written from a receipt.
    return JSON.parse(stored.document) as Receipt;
  }

  /** The place of a job that must run again. It goes on with the model that it began with. */
  async #queueAgain(job: JobTable): Promise<NonNullable<Ending["again"]>> {
    const requirement_id = await this.#requirements.withModel(job.requirement_id, job.model);
    const { priority } = job;
    return { requirement_id, priority, ...this.#fair.enterAgain({ ...job, requirement_id }) };
  }

  #ranMs(lease: Lease): number {
    return Math.max(0, Math.round(this.#clock.monotonic() - lease.grantedAt));
  }

  #backoff(attempts: number): number {
    const jitter = Buffer.from(this.#random(4)).readUInt32BE() % PPM;
    return backoffMs(attempts, jitter);
  }

  #buildReceipt(lease: Lease, outcome: Outcome, endsJob: boolean, progress: Lease["progress"]): Receipt {
    const ranMs = this.#ranMs(lease);
    const segment: SegmentOutcome = {
      provider: lease.minerId,
      endsJob,
      outcome,
      end_byte: lease.acceptedBytes,
      delivered_units: lease.deliveredUnits,
      segment_sha256: lease.segmentSha256(),
      output_sha256: lease.outputSha256(),
      completed_at: lease.terms.started_at + Math.round(ranMs / 1000),
      duration_ms: ranMs,
      progress,
      payout: lease.payout ?? undefined,
    };
    return buildReceipt(lease.terms, segment, lease.termsHash);
  }

  /** Writes an ending; whether the lease still held. What follows a commit is told only after it. */
  async #commit(ending: Ending): Promise<boolean> {
    const { lease, state, receipt, portion } = ending;
    let held: boolean;
    try {
      const ranMs = Math.round(lease.usedMs(this.#clock.monotonic()));
      held = await this.#store.operation(endLease, toEndingRows(ending, ranMs));
    } catch (error) {
      this.#onUnsettled(lease.jobId);
      throw error;
    }
    if (!held) return false;
    if (ending.wakeAt !== undefined) this.#backlog.queued++;
    publishPortion(this.#streams, portion);
    this.#streams.changed(lease.jobId);
    if (receipt) this.#bus.emit("receipt.issued", { job_id: lease.jobId, receipt_id: receipt.receipt_id });
    if (ending.wakeAt === undefined) this.#bus.emit("job.ended", { job_id: lease.jobId, state });
    return true;
  }
}

/** Why no other miner can take up what was delivered; undefined when one can, or when nothing was. */
function whyLost({ job, acceptedBytes }: Lease): string | undefined {
  if (acceptedBytes === 0) return undefined;
  if (acceptedBytes + utf8Length(job.payload) > MAX_CONTINUED_BYTES) return "the answer is too long by now";
  // The column holds the text of a payload that was checked when the job was submitted.
  return whyNotContinuable(JSON.parse(job.payload) as JobPayload);
}

function staleLease(): AppError {
  return new AppError(
    "STALE_LEASE",
    "the lease is no longer held; another attempt or an end has replaced it",
  );
}
