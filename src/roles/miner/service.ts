import { addressOfKey } from "../../crypto/address.ts";
import { fromBase64Url } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { AppError, unreachable } from "../../kernel/errors.ts";
import { MAX_SLOTS } from "../../wire/limits.ts";
import { type MinerCapabilities, type Offer, SESSION_FEATURES } from "../../wire/session.ts";
import { hostDisplayName, type Offering } from "./capabilities.ts";
import type { MinerConfig } from "./config.ts";
import type { Line } from "./delivery.ts";
import type { EngineResult } from "./engines/engine.ts";
import type { Identity } from "./identity.ts";
import { countPrefix, type MinerMetrics } from "./metrics.ts";
import { findFault, type Refusal } from "./offer.ts";
import type { MinerDeps } from "./ports.ts";
import { Run, type RunEvents } from "./run.ts";
import type { CoordinatorFrameOf, MinerFrameOf, SessionOwner, WorkFrame } from "./session.ts";
import { createSigner, type Signer } from "./signer.ts";
import { Speeds } from "./speeds.ts";
import type { WorkDirectories } from "./work-directories.ts";

type Lease = Run["lease"];

const MS_PER_SECOND = 1000;
/** Jobs held for each slot: one whose engine works, and one that waits for the coordinator's confirmation. */
const RUNS_PER_SLOT = 2;

/**
 * How long offers that the coordinator sent before it knew of fewer slots are still taken, in ms: the way there and
 * back, with a coordinator that is busy. A rejection would cost the job an attempt.
 */
const LATE_OFFERS_MS = 5000;

/** How often the coordinator is told that a model has become faster or slower, in ms. */
const REFRESH_MS = 10_000;

/** What the operator may change while the miner runs. */
export type Adjustable = Pick<MinerConfig, "price" | "slots">;

/** What a coordinator is told of this miner. */
interface Standing {
  readonly offering: Offering;
  readonly terms: Adjustable;
}

export interface ServiceOptions extends Pick<MinerDeps, "clock" | "link" | "log" | "meters"> {
  readonly config: MinerConfig;
  readonly identity: Identity;
  readonly offering: Offering;
  readonly metrics: MinerMetrics;
  readonly work: WorkDirectories;
}

const keyOf = ({ job_id, token }: Lease): string => `${job_id}:${token}`;

/**
 * Takes offers, runs them, and tells the coordinator what comes of them. Runs outlive sessions: a new session
 * with the same coordinator takes up those that the coordinator still grants.
 */
export class MinerService implements SessionOwner, RunEvents {
  readonly #options: ServiceOptions;
  /** Every run that the coordinator has not confirmed yet, by job and token. */
  readonly #runs = new Map<string, Run>();
  readonly #speeds: Speeds;
  #standing: Standing;
  /** What the coordinator of this session knows. */
  #told: Standing | undefined;
  /** What it knows of each model's speed, and since when, in monotonic ms. */
  #toldSpeeds: ReadonlyMap<string, ReturnType<Speeds["of"]>> = new Map();
  #toldAt = 0;
  /** More slots than now, that the coordinator may still believe in. */
  #earlier = { slots: 0, until: 0 };
  #line: Line | undefined;
  #signer: Signer | undefined;
  #draining = false;
  #coordinatorDrained = false;
  readonly #idle = Promise.withResolvers<void>();

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#speeds = new Speeds(options.metrics.tokensPerSecond);
    this.#standing = { offering: options.offering, terms: options.config };
  }

  /** Whether a session is open. */
  get connected(): boolean {
    return this.#line !== undefined;
  }

  // Frames

  /** Answers a challenge with the proof of this miner's identity. */
  register(challenge: CoordinatorFrameOf<"challenge">): MinerFrameOf<"register"> {
    const { config } = this.#options;
    const signer = this.#signerFor(challenge);
    this.#told = this.#standing;
    const features = SESSION_FEATURES.filter((feature) => challenge.features?.includes(feature));
    return {
      type: "register",
      v: 1,
      ...signer.proveSession(challenge.nonce),
      name: config.name ?? hostDisplayName(),
      region: config.region,
      payout: config.payout,
      slots: this.#standing.terms.slots,
      capabilities: this.#capabilities(),
      ...(features.length > 0 && { features }),
      running: this.running(),
    };
  }

  /** A session is open: takes up what the coordinator still grants, and drops the rest. */
  opened({ resume }: CoordinatorFrameOf<"registered">, line: Line): void {
    this.#line = line;
    this.#options.metrics.connected.set(1);
    const stored = new Map(resume.map((lease) => [keyOf(lease), lease.bytes]));
    for (const [key, run] of [...this.#runs]) {
      const bytes = stored.get(key);
      if (bytes !== undefined) run.attach(line, bytes);
      else if (!run.repeatCompletion(line)) this.#drop(run, "lost");
    }
    if (this.#draining) line.send({ type: "drain" });
    this.#update();
  }

  /** The session is over; engines run on. */
  closed(): void {
    this.#line = undefined;
    this.#options.metrics.connected.set(0);
    for (const run of this.#runs.values()) run.detach();
    this.#checkIdle();
  }

  receive(frame: WorkFrame): void {
    switch (frame.type) {
      case "offer":
        this.#offer(frame);
        break;
      case "ack":
        this.#acknowledge(frame);
        break;
      case "acks":
        for (const ack of frame.acks) this.#acknowledge(ack);
        break;
      case "completed":
        void this.#completed(frame);
        break;
      case "cancel":
        this.#end(frame, "canceled");
        break;
      case "fenced":
        this.#end(frame, "fenced", frame.code);
        break;
      case "drained":
        this.#coordinatorDrained = true;
        this.#checkIdle();
        break;
      default:
        unreachable(frame);
    }
  }

  #acknowledge(ack: Lease & { readonly bytes: number }): void {
    this.#runs.get(keyOf(ack))?.acknowledge(ack.bytes);
  }

  /** Leases that this miner works on. */
  running(): Lease[] {
    return [...this.#runs.values()].map((run) => run.lease);
  }

  // What is on offer

  /** Offers something else from here on: models that came or went, hardware that was found. */
  offer(offering: Offering): void {
    this.#standing = { ...this.#standing, offering };
    this.#update();
  }

  /** Takes jobs at another price, or another number of them at once, from here on. */
  adjust(terms: Adjustable): void {
    const { slots } = this.#standing.terms;
    this.#earlier = { slots, until: this.#options.clock.monotonic() + LATE_OFFERS_MS };
    this.#standing = { ...this.#standing, terms };
    this.#update();
  }

  /** Tells what was measured of a model: at once for the first time, then when it has changed and not too often. */
  #refresh(model: string): void {
    const told = this.#toldSpeeds.get(model);
    if (!told || !this.#speeds.differs(model, told)) return;
    const isKnown = told.tokens_per_second !== null;
    if (isKnown && this.#options.clock.monotonic() - this.#toldAt < REFRESH_MS) return;
    this.#told = undefined;
    this.#update();
  }

  /** Tells the coordinator what it does not know yet. */
  #update(): void {
    if (!this.#line || this.#told === this.#standing) return;
    this.#told = this.#standing;
    const { slots } = this.#standing.terms;
    this.#line.send({ type: "update", slots, capabilities: this.#capabilities() });
  }

  #capabilities(): MinerCapabilities {
    const { offering, terms } = this.#standing;
    const models = offering.capabilities.models.map((model) => ({
      ...model,
      ...this.#speeds.of(model.name),
    }));
    this.#toldSpeeds = new Map(models.map((model) => [model.name, model]));
    this.#toldAt = this.#options.clock.monotonic();
    return { ...offering.capabilities, models, price: terms.price };
  }

  #slots(): number {
    const { slots } = this.#standing.terms;
    const late = this.#options.clock.monotonic() < this.#earlier.until;
    return late ? Math.max(slots, this.#earlier.slots) : slots;
  }

  // Runs

  answered(run: Run, result: EngineResult, ms: number): void {
    const { completion_tokens, load_ms } = result;
    countPrefix(this.#options.metrics, result);
    this.#speeds.record(run.model, completion_tokens, ms);
    if (load_ms !== undefined) this.#speeds.recordLoad(run.model, load_ms);
    this.#refresh(run.model);
  }

  firstText(run: Run): void {
    const waited = this.#options.clock.monotonic() - run.startedAt;
    this.#options.metrics.firstToken.observe(waited / MS_PER_SECOND);
  }

  engineEnded(run: Run): void {
    this.#options.metrics.running.dec();
    this.#options.metrics.outputBytes.inc(run.outputBytes);
  }

  failed(run: Run, code: string, message: string): void {
    this.#options.log.warn({ ...run.lease, model: run.model, code, detail: message }, "job failed");
    this.#drop(run, "failed");
  }

  // Stopping

  /** Takes no further jobs, and says so to the coordinator. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#line?.send({ type: "drain" });
    this.#checkIdle();
  }

  /** Resolves when this miner drains, has no job left, and the coordinator has none on the way to it. */
  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  /** Fails what still runs, so that the coordinator gives it to another miner at once. */
  abandon(): void {
    for (const run of [...this.#runs.values()]) {
      run.failStopping();
      this.#drop(run, "stopped");
    }
  }

  #checkIdle(): void {
    const nothingComes = this.#coordinatorDrained || !this.#line;
    if (this.#draining && this.#runs.size === 0 && nothingComes) this.#idle.resolve();
  }

  // Offers and ends

  #offer(offer: Offer): void {
    const { terms } = offer;
    const line = this.#requireLine();
    this.#dropOlder(terms.job_id, terms.token);
    const refusal = this.#findRefusal(offer);
    const engine = this.#standing.offering.engines.get(terms.model);
    const meter = this.#options.meters.find(terms.meter);
    if (refusal || !engine || !meter) {
      const { code, message } = refusal ?? {
        code: "MODEL_NOT_FOUND",
        message: `this miner has no model ${terms.model}`,
      };
      this.#options.metrics.jobs.inc({ outcome: "rejected" });
      this.#options.log.info({ job_id: terms.job_id, token: terms.token, code }, "offer rejected");
      line.send({ type: "reject", job_id: terms.job_id, token: terms.token, code, message });
      return;
    }
    const { clock, config, link, metrics, log, work } = this.#options;
    const run = new Run({
      offer,
      engine,
      meter,
      signer: this.#requireSigner(),
      clock,
      link,
      maxUnsecuredBytes: config.max_unsecured_bytes,
      work,
      events: this,
    });
    this.#runs.set(keyOf(run.lease), run);
    metrics.running.inc();
    log.debug({ ...run.lease, model: terms.model }, "job started");
    line.send({ type: "start", ...run.lease });
    run.attach(line, terms.start_byte);
    void run.execute();
  }

  #findRefusal(offer: Offer): Refusal | undefined {
    if (this.#draining) return { code: "MINER_DRAINING", message: "this miner takes no further jobs" };
    const runs = [...this.#runs.values()];
    const slots = this.#slots();
    const busy = runs.filter((run) => run.engineRunning).length;
    if (busy >= slots || runs.length >= Math.min(RUNS_PER_SLOT * slots, MAX_SLOTS)) {
      return { code: "NO_FREE_SLOT", message: `all ${slots} slots are taken` };
    }
    return findFault(offer, this.#requireSigner().coordinatorId, this.#options.meters);
  }

  /** A new lease on a job ends the work under an older one. */
  #dropOlder(jobId: string, token: number): void {
    for (const run of [...this.#runs.values()]) {
      if (run.lease.job_id === jobId && run.lease.token <= token) this.#drop(run, "lost");
    }
  }

  async #completed(frame: CoordinatorFrameOf<"completed">): Promise<void> {
    const run = this.#runs.get(keyOf(frame));
    if (!run) return;
    const fields = { ...run.lease, model: run.model, output_bytes: run.outputBytes };
    const attested = await this.#requireSigner().isAttested(frame.receipt);
    if (attested) this.#options.log.info(fields, "job completed");
    else this.#options.log.error(fields, "the coordinator's receipt is not attested");
    this.#drop(run, attested ? "completed" : "unattested");
  }

  #end(lease: Lease, outcome: "canceled" | "fenced", code?: string): void {
    const run = this.#runs.get(keyOf(lease));
    if (!run) return;
    this.#options.log.info({ ...run.lease, outcome, code }, "job ended by the coordinator");
    this.#drop(run, outcome);
  }

  #drop(run: Run, outcome: string): void {
    if (!this.#runs.delete(keyOf(run.lease))) return;
    run.drop();
    this.#options.metrics.jobs.inc({ outcome });
    this.#checkIdle();
  }

  // The coordinator

  /** The signer for a coordinator. Runs that another one offered end: their terms mean nothing to this one. */
  #signerFor(challenge: CoordinatorFrameOf<"challenge">): Signer {
    const { coordinator_id, coordinator_public_key } = challenge;
    const publicKey = fromBase64Url("coordinator_public_key", coordinator_public_key, PUBLIC_KEY_BYTES);
    if (addressOfKey(publicKey) !== coordinator_id) {
      throw new AppError("PROTOCOL_VIOLATION", "coordinator_id is not the address of the coordinator's key");
    }
    if (this.#signer?.coordinatorId !== coordinator_id) {
      for (const run of [...this.#runs.values()]) this.#drop(run, "lost");
      const { identity, config } = this.#options;
      this.#signer = createSigner(identity, publicKey, config.payout ?? undefined);
    }
    return this.#signer;
  }

  #requireSigner(): Signer {
    if (!this.#signer) throw new AppError("INTERNAL", "no coordinator has been met");
    return this.#signer;
  }

  #requireLine(): Line {
    if (!this.#line) throw new AppError("INTERNAL", "no session is open");
    return this.#line;
  }
}
