import { toHex } from "../../crypto/bytes.ts";
import type { Meters } from "../../domain/job/meters.ts";
import { PREFIX_BONUS } from "../../domain/job/score.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import { HOLD_MS, type PrefixAffinity } from "./affinity.ts";
import { type Candidates, loadOf } from "./candidates.ts";
import { type Claimed, type ClaimRequest, claimJob, prepareLease } from "./claim.ts";
import { ClaimsUnderWay } from "./claims-under-way.ts";
import type { CoordinatorConfig } from "./config.ts";
import { describeDecision } from "./decision.ts";
import type { ClaimTicket, FairShare } from "./fair-share.ts";
import { Lease } from "./lease.ts";
import type { Backlog, Leases } from "./leases.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import type { LeaseGrant } from "./store/claims.ts";
import { type Found, findNext } from "./store/queue.ts";
import type { JobTable } from "./tables.ts";
import type { WaitTimes } from "./wait-times.ts";

/** Bytes of the nonce that makes the terms of a lease unique. */
const NONCE_BYTES = 16;
/** How often one search sets jobs aside before it takes what it has found: the next search goes on there. */
const MAX_PARK_ROUNDS = 8;
/** How often a claim looks again when another process was faster: what it misses then, the recheck finds. */
const MAX_CLAIM_ROUNDS = 8;

/** A slot that a job takes in the operation that stores it. */
export interface TakenAtOnce {
  /** To be written with the job. */
  readonly grant: LeaseGrant;
  /** Offers the job to its miner before it is stored: for one whose storing has begun, and that nothing else holds up. */
  offer(): void;
  /** Called once: offers the job when it is stored, if it was not, and gives the slot back when it is not. */
  end(isStored: boolean): void;
}

/** Where a job would stand that never waits. */
const toPlace = ({ job_id, requirement_id, priority, expires_at }: JobTable) => ({
  job_id,
  requirement_id,
  priority,
  ready: 1,
  wake_at: expires_at,
});

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
  readonly #candidates: Candidates;
  readonly #affinity: PrefixAffinity;
  readonly #waits: WaitTimes;
  readonly #metrics: QueueMetrics;
  readonly #health: MinerHealth;
  readonly #fair: FairShare;
  readonly #leases: Leases;
  readonly #backlog: Backlog;
  readonly #instance: string;
  readonly #coordinatorId: string;
  readonly #sessions = new Map<string, MinerLink>();
  readonly #underWay = new ClaimsUnderWay();
  /** Sessions whose search runs; a nudge meanwhile makes it run once more. */
  readonly #searching = new Map<MinerLink, { again: boolean }>();
  /** Searches that are due when a job has waited long enough for one miner, by class. */
  readonly #later = new Map<number, NodeJS.Timeout>();
  #open = true;

  constructor(options: {
    store: Store;
    clock: Clock;
    random: RandomBytes;
    log: Log;
    config: CoordinatorConfig;
    meters: Meters;
    candidates: Candidates;
    affinity: PrefixAffinity;
    waits: WaitTimes;
    queueMetrics: QueueMetrics;
    health: MinerHealth;
    fair: FairShare;
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
    this.#candidates = options.candidates;
    this.#affinity = options.affinity;
    this.#waits = options.waits;
    this.#metrics = options.queueMetrics;
    this.#health = options.health;
    this.#fair = options.fair;
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
    for (const timer of this.#later.values()) clearTimeout(timer);
    this.#later.clear();
  }

  /** A job of a class waits: of the miners that can run it the one that suits it best looks. */
  nudgeClass(requirementId: number, jobId = ""): void {
    const best = this.#best({ job_id: jobId, requirement_id: requirementId });
    if (best) this.nudge(best);
    // Where it was left to a miner that has no slot free in time, another one takes it then.
    if (best && this.#holds(best, jobId)) this.#nudgeLater(requirementId);
  }

  /** Of the miners with a free slot that can run a job the one that suits it best. */
  #best(job: Pick<JobTable, "job_id" | "requirement_id">): MinerLink | undefined {
    let best: MinerLink | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const session of this.#sessions.values()) {
      if (!this.#takesWork(session)) continue;
      if (!this.#candidates.classesOf(session).includes(job.requirement_id)) continue;
      const score = this.#candidates.score(job, session);
      if (score > bestScore) [best, bestScore] = [session, score];
    }
    return best;
  }

  /**
   * Takes a slot for a job that is about to be stored: it need not wait for a search, nor for a second commit.
   * Undefined where it has to wait: no slot is free, its client runs as many jobs as it may, it is left to another
   * miner for a moment, or something waits that the miner could run instead.
   */
  takeAtOnce(job: JobTable): TakenAtOnce | undefined {
    const session = this.#open ? this.#best(job) : undefined;
    if (!session || this.#holds(session, job.job_id) || this.#fair.whyFull(job.client_id) !== undefined) {
      return undefined;
    }
    if (this.#candidates.classesOf(session).some((id) => this.#fair.hasWaiting(id))) return undefined;
    const ticket = this.#fair.beginClaim();
    ticket.clientNumber = this.#fair.numberOf(job.client_id);
    session.claiming++;
    const giveBack = (): void => {
      session.claiming--;
      this.#fair.endClaim(ticket);
    };
    try {
      const { grant, ...prepared } = prepareLease(job, this.#requestFor(session));
      let lease: Lease | undefined;
      const offer = (): void => {
        giveBack();
        this.#note({ ...prepared, place: { ...toPlace(job), ...this.#fair.enter(job) } });
        lease = this.#offer(session, prepared);
      };
      const end = (isStored: boolean): void => {
        if (isStored && !lease) offer();
        else if (!isStored && lease) this.#takeBack(lease);
        else if (!isStored) giveBack();
        session.finishDrain();
      };
      return { grant, offer, end };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  #nudgeLater(requirementId: number): void {
    if (!this.#open || this.#later.has(requirementId)) return;
    const timer = setTimeout(() => {
      this.#later.delete(requirementId);
      this.nudgeClass(requirementId);
    }, HOLD_MS);
    timer.unref();
    this.#later.set(requirementId, timer);
  }

  /** Whether a miner leaves a job to the one that holds its conversation, for a moment and within the load bound. */
  #holds(session: MinerLink, jobId: string): boolean {
    const holder = this.#sessions.get(this.#affinity.heldFor(jobId) ?? "");
    if (!holder || holder === session || !this.#candidates.isAtWork(holder)) return false;
    return loadOf(holder) - loadOf(session, session.claiming) <= PREFIX_BONUS;
  }

  /** A client may run another job: what was set aside of its jobs is looked for again. */
  hasRoom(clientNumber: number): void {
    if (this.#open) void this.#bringBack(clientNumber);
  }

  /** Never rejects. */
  async #bringBack(clientNumber: number): Promise<void> {
    try {
      for (const requirementId of await this.#fair.unpark(clientNumber)) this.nudgeClass(requirementId);
    } catch (error) {
      this.#log.error({ err: error }, "jobs stay aside");
    }
  }

  /** All clients with room get back what was set aside, also after what gave them room was lost; then all miners look. */
  nudgeAll(): void {
    if (!this.#open) return;
    const returns = this.#fair.parkedWithRoom().map((client) => this.#bringBack(client));
    void Promise.all(returns).then(() => {
      for (const session of this.#sessions.values()) this.#begin(session);
    });
  }

  /** A miner with a free slot looks for work, if any waits. */
  nudge(session: MinerLink): void {
    if (this.#backlog.queued > 0) this.#begin(session);
  }

  #begin(session: MinerLink): void {
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
        if (!offered || this.#backlog.queued <= 0) break;
      }
      session.finishDrain();
    } while (state.again);
  }

  /** Claims and offers the next job; whether there was one. */
  async #claimOne(session: MinerLink): Promise<boolean> {
    const ticket = this.#fair.beginClaim();
    try {
      const claimed = await this.#claim(session, ticket);
      if (!claimed) return false;
      this.#backlog.queued--;
      this.#note(claimed);
      this.#offer(session, claimed);
      return true;
    } finally {
      this.#fair.endClaim(ticket);
    }
  }

  async #claim(session: MinerLink, ticket: ClaimTicket): Promise<Claimed | undefined> {
    const classes = this.#candidates.classesOf(session);
    const choice = this.#fair.choiceFor(ticket, ({ job_id }) => this.#holds(session, job_id));
    const find = async (): Promise<Found> => {
      const found = await findNext(
        this.#store.db,
        classes,
        this.#underWay.amongOthers(choice),
        !session.continues,
      );
      ticket.clientNumber = found.head?.client_number;
      return found;
    };
    for (let round = 1; round <= MAX_CLAIM_ROUNDS; round++) {
      const jobId = await this.#underWay.search(() => this.#find(find));
      if (jobId === undefined) return undefined;
      try {
        const claimed = await claimJob(this.#store, jobId, this.#requestFor(session));
        if (claimed) return claimed;
      } finally {
        this.#underWay.release(jobId);
      }
    }
    return undefined;
  }

  #requestFor(session: MinerLink): ClaimRequest {
    const { minerId, capabilities } = session.profile;
    return {
      minerId,
      models: this.#candidates.usable(session).capabilities.models,
      digestOf: (name) => capabilities.models.find((model) => model.name === name)?.digest ?? "",
      meters: this.#meters,
      instance: this.#instance,
      coordinatorId: this.#coordinatorId,
      maxOutputBytes: this.#config.max_output_bytes,
      now: this.#clock.now(),
      nonce: toHex(this.#random(NONCE_BYTES)),
      decide: (job) => this.#decide(job, session),
    };
  }

  /**
   * The job that comes next, taken for the caller's claim. Jobs that hide others, and cannot be taken, are set
   * aside first.
   */
  async #find(find: () => Promise<Found>): Promise<string | undefined> {
    for (let round = 1; ; round++) {
      const { head, crowding } = await find();
      if (crowding.length > 0 && round <= MAX_PARK_ROUNDS) await this.#fair.park(crowding);
      else if (!head || this.#underWay.take(head)) return head?.job_id;
    }
  }

  /** Writes down why a job goes to a miner. */
  #decide(job: JobTable, session: MinerLink): string {
    const waitedMs = Math.max(0, this.#clock.now() - job.requested_at);
    return describeDecision(job, session, {
      candidates: this.#candidates,
      links: this.#sessions.values(),
      waitedMs,
      promisedMs: this.#waits.promised(job.job_id),
    });
  }

  /** A job has left the queue: what was remembered of it meets what came. */
  #note({ job, place, terms }: Claimed): void {
    this.#fair.serve(place);
    this.#waits.served(job.job_id);
    const isHit = this.#affinity.serve(job.job_id, job.miner_id ?? "");
    if (isHit !== undefined) this.#metrics.conversation(isHit);
    this.#health.models.began(job.miner_id ?? "", terms.model);
  }

  /** Turns a granted lease into an offer. A session that closed meanwhile leaves the lease to run out. */
  #offer(
    session: MinerLink,
    { job, terms, termsHash, meter, payload, prefix }: Omit<Claimed, "place">,
  ): Lease {
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
    return lease;
  }

  /** The job of a lease that was offered could not be stored: there is none. */
  #takeBack(lease: Lease): void {
    this.#leases.remove(lease);
    this.#health.models.ended(lease.minerId, lease.terms.model);
    lease.holder?.revoke(lease, "fenced", "STALE_LEASE", "its job could not be stored");
  }
}
