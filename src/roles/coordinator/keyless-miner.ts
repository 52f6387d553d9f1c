import type { Channel } from "../../kernel/channel.ts";
import { CLOSE } from "../../kernel/channel.ts";
import type { Assignment, HeldLease } from "../../wire/miners.ts";
import type { Lease } from "./lease.ts";
import { MAX_BUFFERED_BYTES } from "./limits.ts";
import type { LinkOffer, MinerLink, MinerProfile } from "./miner-link.ts";

const MS_PER_SECOND = 1000;

/** A poll that waits: `answer` ends it, once. */
interface Poll {
  readonly answer: (assignment: Assignment | undefined) => void;
  /** Its time is up, but a search runs that may find it a job. */
  expired: boolean;
}

/**
 * A miner that holds no signing key, and asks for its jobs by polls or is handed them over a WebSocket. What it
 * can take is what it waits for: without a waiting poll or an open socket no job is claimed for it.
 */
export class KeylessMiner implements MinerLink {
  readonly keyId: string;
  readonly sessionToken: string;
  readonly leases = new Map<string, Lease>();
  readonly continues = false;
  profile: MinerProfile;
  open = true;
  draining = false;
  claiming = 0;
  /** Last sign of life, monotonic ms. */
  seenAt: number;
  readonly #polls: Poll[] = [];
  /** Offers that were claimed for a poll which has gone: the next one gets them. */
  readonly #undelivered = new Map<Lease, Assignment>();
  readonly #begun = new WeakSet<Lease>();
  #channel: Channel | undefined;

  constructor(options: { keyId: string; sessionToken: string; profile: MinerProfile; now: number }) {
    this.keyId = options.keyId;
    this.sessionToken = options.sessionToken;
    this.profile = options.profile;
    this.seenAt = options.now;
  }

  get minerId(): string {
    return this.profile.minerId;
  }

  /** Whether it is being waited on by the miner right now: then it lives without further signs. */
  get attached(): boolean {
    return this.#channel !== undefined || this.#polls.length > 0;
  }

  get freeSlots(): number {
    if (!this.open || this.draining) return 0;
    const takers = this.#channel ? this.profile.slots : this.#polls.length;
    return Math.max(0, Math.min(takers, this.profile.slots - this.leases.size) - this.claiming);
  }

  /**
   * Waits for a job, at most `maxMs`. When as many polls wait as the miner has slots, the oldest ends: its caller
   * has gone, or asks more than it can do.
   */
  async poll(maxMs: number, signal: AbortSignal): Promise<Assignment | undefined> {
    for (const [lease, assignment] of this.#undelivered) {
      this.#undelivered.delete(lease);
      return assignment;
    }
    if (this.#polls.length >= this.profile.slots) this.#polls.shift()?.answer(undefined);
    const { promise, resolve } = Promise.withResolvers<Assignment | undefined>();
    const poll: Poll = { answer: resolve, expired: false };
    const giveUp = (): void => resolve(undefined);
    const timer = setTimeout(() => {
      poll.expired = true;
      this.finishDrain();
    }, maxMs);
    this.#polls.push(poll);
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      const index = this.#polls.indexOf(poll);
      if (index >= 0) this.#polls.splice(index, 1);
    }
  }

  /** Keeps a job for the next poll: the caller has gone before it could be told. */
  putBack(lease: Lease, assignment: Assignment): void {
    if (this.leases.get(lease.jobId) === lease) this.#undelivered.set(lease, assignment);
  }

  offer(lease: Lease, offer: LinkOffer): void {
    this.leases.set(lease.jobId, lease);
    lease.holder = this;
    const assignment = toAssignment(lease, offer);
    const poll = this.#channel ? undefined : this.#polls.shift();
    if (this.#channel) this.send({ type: "job.assigned", ...assignment });
    else if (poll) poll.answer(assignment);
    else this.#undelivered.set(lease, assignment);
  }

  /** Text is handed in whole, so there is nothing to acknowledge on the way. */
  acknowledge(): void {}

  revoke(lease: Lease, _frame: "cancel" | "fenced", code: string, detail: string): void {
    this.release(lease);
    this.send({ type: "job.revoked", job_id: lease.jobId, lease_token: lease.token, code, detail });
  }

  /** Frees the slot of a lease that has ended. */
  release(lease: Lease): void {
    if (this.leases.get(lease.jobId) === lease) this.leases.delete(lease.jobId);
    if (lease.holder === this) lease.holder = undefined;
    this.#undelivered.delete(lease);
  }

  /** Takes over a running lease of this miner, after a restart of either side. */
  adopt(lease: Lease): void {
    this.leases.set(lease.jobId, lease);
    lease.holder = this;
  }

  begin(lease: Lease): void {
    this.#begun.add(lease);
  }

  /** No search runs any more: polls whose time is up, and all of a draining miner, have waited in vain. */
  finishDrain(): void {
    if (this.claiming > 0) return;
    for (const poll of [...this.#polls]) if (poll.expired || this.draining) poll.answer(undefined);
  }

  /**
   * The leases that a sign of life renews when the miner says that it works on `inflight` jobs: begun ones first,
   * then the newest. What it never heard of, or worked on before it was started anew, is not among them.
   */
  alive(inflight = Number.POSITIVE_INFINITY): Lease[] {
    return [...this.leases.values()]
      .filter((lease) => !this.#undelivered.has(lease))
      .sort((a, b) => Number(this.#begun.has(b)) - Number(this.#begun.has(a)) || b.grantedAt - a.grantedAt)
      .slice(0, inflight);
  }

  heldLeases(): HeldLease[] {
    return this.alive().map(({ jobId, token }) => ({ job_id: jobId, lease_token: token }));
  }

  /** From here on jobs go over this channel; an earlier one closes. */
  attach(channel: Channel): void {
    this.#channel?.close(CLOSE.goingAway, "the miner has connected again");
    this.#channel = channel;
    for (const [lease, assignment] of this.#undelivered) {
      this.#undelivered.delete(lease);
      this.send({ type: "job.assigned", ...assignment });
    }
  }

  detach(channel: Channel): void {
    if (this.#channel === channel) this.#channel = undefined;
  }

  /** Sends a frame where there is a socket. */
  send(frame: object): void {
    const channel = this.#channel;
    if (!channel) return;
    if (channel.bufferedBytes > MAX_BUFFERED_BYTES) channel.close(CLOSE.tryLater, "too slow");
    else channel.send(JSON.stringify(frame));
  }

  close(code: number, reason: string): void {
    this.open = false;
    this.#channel?.close(code, reason);
    this.#channel = undefined;
    for (const poll of this.#polls.splice(0)) poll.answer(undefined);
  }
}

function toAssignment(lease: Lease, { terms, payload, lease_ms, deadline_ms }: LinkOffer): Assignment {
  return {
    job_id: lease.jobId,
    lease_token: lease.token,
    payload,
    // The column was written from a checked submission.
    constraints: JSON.parse(lease.job.constraints) as Record<string, unknown>,
    terms,
    lease_seconds: Math.floor(lease_ms / MS_PER_SECOND),
    deadline_seconds: Math.floor(deadline_ms / MS_PER_SECOND),
  };
}
