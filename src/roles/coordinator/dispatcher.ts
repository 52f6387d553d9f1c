import { toHex } from "../../crypto/bytes.ts";
import type { Meters } from "../../domain/job/meters.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import { type Claimed, type ClaimRequest, claimJob } from "./claim.ts";
import type { CoordinatorConfig } from "./config.ts";
import { Lease } from "./lease.ts";
import type { Backlog, Leases } from "./leases.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import type { Requirements } from "./requirements.ts";
import { findNext, findNextFresh } from "./store/queue.ts";

/** Bytes of the nonce that makes the terms of a lease unique. */
const NONCE_BYTES = 16;
/** How often one search is repeated when another miner was faster. */
const CLAIM_RETRIES = 8;

/**
 * Brings waiting jobs to miners with a free slot. A nudge (a new job, a free slot, the recheck) starts a
 * search; the row decides who gets the job.
 */
export class Dispatcher {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #log: Log;
  readonly #config: CoordinatorConfig;
  readonly #meters: Meters;
  readonly #requirements: Requirements;
  readonly #health: MinerHealth;
  readonly #leases: Leases;
  readonly #backlog: Backlog;
  readonly #instance: string;
  readonly #coordinatorId: string;
  readonly #sessions = new Map<string, MinerLink>();
  /** Sessions whose search runs; a nudge meanwhile makes it run once more. */
  readonly #searching = new Map<MinerLink, { again: boolean }>();
  #open = true;

  constructor(options: {
    store: Store;
    clock: Clock;
    random: RandomBytes;
    log: Log;
    config: CoordinatorConfig;
    meters: Meters;
    requirements: Requirements;
    health: MinerHealth;
    leases: Leases;
    backlog: Backlog;
    instance: string;
    coordinatorId: string;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
    this.#config = options.config;
    this.#meters = options.meters;
    this.#requirements = options.requirements;
    this.#health = options.health;
    this.#leases = options.leases;
    this.#backlog = options.backlog;
    this.#instance = options.instance;
    this.#coordinatorId = options.coordinatorId;
  }

  /** The registered sessions, one a miner. */
  get sessions(): ReadonlyMap<string, MinerLink> {
    return this.#sessions;
  }

  /** Adds a session; returns the one that the same miner had before, if any. */
  add(session: MinerLink): MinerLink | undefined {
    const earlier = this.#sessions.get(session.minerId);
    this.#sessions.set(session.minerId, session);
    return earlier;
  }

  remove(session: MinerLink): void {
    if (this.#sessions.get(session.minerId) === session) this.#sessions.delete(session.minerId);
  }

  /** Stops searching: no new lease is granted from here on. */
  close(): void {
    this.#open = false;
  }

  /** A job of a class waits: the least busy miner that can run it looks. */
  nudgeClass(requirementId: number): void {
    let best: MinerLink | undefined;
    let bestLoad = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions.values()) {
      if (!this.#takesWork(session)) continue;
      if (!this.#requirements.eligible(session.profile).includes(requirementId)) continue;
      const load = 1 - session.freeSlots / session.profile.slots;
      if (load < bestLoad) [best, bestLoad] = [session, load];
    }
    if (best) this.nudge(best);
  }

  /** All miners with a free slot look. */
  nudgeAll(): void {
    for (const session of this.#sessions.values()) this.nudge(session);
  }

  /** A miner with a free slot looks for work. */
  nudge(session: MinerLink): void {
    if (!this.#open || !this.#takesWork(session)) return;
    const search = this.#searching.get(session);
    if (search) {
      search.again = true;
      return;
    }
    const state = { again: false };
    this.#searching.set(session, state);
    this.#search(session, state)
      .catch((error: unknown) => this.#log.error({ err: error, miner_id: session.minerId }, "claim failed"))
      .finally(() => this.#searching.delete(session));
  }

  /** Whether a miner has a free slot and is not left out for its failures. */
  #takesWork(session: MinerLink): boolean {
    return session.freeSlots > 0 && this.#health.quarantine(session.minerId) === undefined;
  }

  async #search(session: MinerLink, state: { again: boolean }): Promise<void> {
    do {
      state.again = false;
      while (this.#open && this.#takesWork(session)) {
        session.claiming++;
        const offered = await this.#claimOne(session).finally(() => session.claiming--);
        if (!offered) break;
      }
      session.finishDrain();
    } while (state.again);
  }

  /** Claims and offers the next job; whether there was one. */
  async #claimOne(session: MinerLink): Promise<boolean> {
    const { profile } = session;
    for (let attempt = 0; attempt < CLAIM_RETRIES; attempt++) {
      const find = session.continues ? findNext : findNextFresh;
      const jobId = await find(this.#store.db, this.#requirements.eligible(profile));
      if (jobId === undefined) return false;
      const request: ClaimRequest = {
        jobId,
        minerId: profile.minerId,
        anyModel: profile.capabilities.models[0]?.name ?? "",
        digestOf: (name) => profile.capabilities.models.find((model) => model.name === name)?.digest ?? "",
        meters: this.#meters,
        instance: this.#instance,
        coordinatorId: this.#coordinatorId,
        maxOutputBytes: this.#config.max_output_bytes,
        now: this.#clock.now(),
        nonce: toHex(this.#random(NONCE_BYTES)),
      };
      const claimed = await this.#store.operation((tx) => claimJob(tx, request));
      if (!claimed) continue;
      this.#backlog.queued--;
      this.#offer(session, claimed);
      return true;
    }
    return false;
  }

  /** Turns a granted lease into an offer. A session that closed meanwhile leaves the lease to run out. */
  #offer(session: MinerLink, { job, terms, termsHash, meter, payload, prefix }: Claimed): void {
    const now = this.#clock.monotonic();
    const leaseMs = this.#config.lease_seconds * 1000;
    const deadlineMs = Math.max(1, job.max_run_ms - job.run_ms);
    const lease = new Lease({
      job,
      terms,
      termsHash,
      meter,
      payout: session.profile.payout,
      grantedAt: now,
      expiresAt: session.open ? now + leaseMs : now,
      deadlineAt: now + deadlineMs,
      prefix,
    });
    this.#leases.add(lease);
    if (session.open)
      session.offer(lease, { terms, payload, prefix, lease_ms: leaseMs, deadline_ms: deadlineMs });
  }
}
