import { isTerminal } from "../../src/domain/job/state.ts";
import { receiptFromJson } from "../../src/domain/receipt/parse.ts";
import { canonicalReceipt, receiptHash } from "../../src/domain/receipt/sign.ts";
import { ERRORS } from "../../src/kernel/errors.ts";
import { PROOF_INTERVAL_MS } from "../../src/roles/coordinator/limits.ts";
import type { JobTable } from "../../src/roles/coordinator/tables.ts";
import { promptOf } from "../torture/answers.ts";
import { createRandom, type Random } from "../torture/random.ts";
import { type LeaseId, leaseName, SIM_MODEL, SimMiner, type Work } from "./miner.ts";
import { LEASE_SECONDS, type World } from "./world.ts";

/** Miners, their slots and the steps of a schedule. */
const MINERS = 3;
const SLOTS = 2;
const STEPS = { least: 15, range: 35 };
const MAX_JOBS = 4;
/** One step in so many is a burst: several frames at once, whose effects overlap. */
const BURST_ONE_IN = 4;
const MAX_BURST = 4;
/** Bytes of an answer, and of a piece of it. */
const ANSWER_BYTES = { least: 8, range: 240 };
const PIECE_BYTES = 60;
const HOUR_MS = 3_600_000;
/** Rounds of a second in which an honest miner must bring everything to its end. */
const DRAIN_ROUNDS = 90;
/** Never part of an answer: where it is found, text came in that should not have. */
const STRAY = "‡stray‡";

/** What a step did, and what has to come of it. */
interface Act {
  readonly about: string;
  /** The frame's lease, where the step is one frame about one. */
  readonly miner?: SimMiner;
  readonly work?: Work;
  /** Whether the coordinator must refuse it even under a running lease. */
  readonly lies?: boolean;
  readonly completes?: boolean;
  /** A lie that is found when statements are verified the next time. */
  readonly foundLater?: boolean;
}

type JobLimits = Readonly<Record<"max_attempts" | "ttl_seconds" | "max_run_seconds", number>>;

/** What a schedule of named steps works with. */
export interface Stage {
  readonly world: World;
  readonly miners: readonly SimMiner[];
  /** Submits a job, and returns the miner that got it. */
  submit(): Promise<{ readonly miner: SimMiner; readonly work: Work }>;
  /** Notes that a cancellation was carried out. */
  canceled(jobId: string): void;
}

/** What a schedule leaves behind, to be checked against the rows. */
export interface Played {
  readonly trace: readonly string[];
  readonly miners: readonly SimMiner[];
  readonly jobs: ReadonlyMap<string, JobFacts>;
  /** Refusals that were expected and came. */
  readonly fenced: number;
}

export interface JobFacts {
  readonly plan: { seed: number; bytes: number; slow: boolean };
  canceled: boolean;
  /** A miner said that nobody could run it. */
  hopeless: boolean;
  /** Its row when it was seen to have ended. */
  ended: string | undefined;
  token: number;
  bytes: number;
}

/** Plays one seeded schedule against the coordinator of a world, and brings every job to its end. */
export class Schedule {
  readonly #world: World;
  readonly #random: Random;
  readonly #trace: string[] = [];
  readonly #jobs = new Map<string, JobFacts>();
  readonly #miners: SimMiner[];
  #fenced = 0;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#random = createRandom(seed);
    this.#miners = Array.from({ length: MINERS }, (_, index) => new SimMiner(world, `miner-${index}`, SLOTS));
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  /** Plays steps by chance, or the named ones; then everything is brought to its end. */
  async play(script?: (stage: Stage) => Promise<void>): Promise<Played> {
    const world = this.#world;
    await world.start();
    for (const miner of this.#miners) miner.connect([]);
    if (script) await script(this.#stage());
    else await this.#steps();
    this.#watch();
    await this.#drain();
    await this.#haunt();
    await world.stop();
    return { trace: this.#trace, miners: this.#miners, jobs: this.#jobs, fenced: this.#fenced };
  }

  async #steps(): Promise<void> {
    for (let jobs = 1 + this.#random.below(2); jobs > 0; jobs--) await this.#submit();
    await this.#world.settle();
    const steps = STEPS.least + this.#random.below(STEPS.range);
    for (let step = 0; step < steps; step++) await this.#step();
  }

  #stage(): Stage {
    return {
      world: this.#world,
      miners: this.#miners,
      submit: async () => {
        const jobId = await this.#submit({ max_attempts: 4, ttl_seconds: 60, max_run_seconds: 600 });
        await this.#world.settle();
        for (const miner of this.#miners) {
          const work = miner.works.find(({ lease }) => lease.job_id === jobId);
          if (work) return { miner, work };
        }
        throw new Error("nobody was offered the job");
      },
      canceled: (jobId) => {
        const facts = this.#jobs.get(jobId);
        if (facts) facts.canceled = true;
      },
    };
  }

  async #step(): Promise<void> {
    if (this.#random.once(BURST_ONE_IN)) {
      const size = 2 + this.#random.below(MAX_BURST - 1);
      this.#trace.push("burst:");
      for (let part = 0; part < size; part++) this.#trace.push(`  ${this.#frame()?.about ?? "nothing"}`);
      await this.#world.settle();
    } else if (this.#random.once(3)) {
      await this.#event();
      await this.#world.settle();
    } else await this.#alone();
    this.#watch();
  }

  /** One frame, whose whole effect can be told from the rows before it. */
  async #alone(): Promise<void> {
    for (const miner of this.#miners) miner.listen();
    const before = new Map([...this.#jobs.keys()].map((jobId) => [jobId, this.#row(jobId)]));
    const held = new Map(this.#miners.map((miner) => [miner, new Set(miner.held)]));
    const act = this.#frame();
    this.#trace.push(act?.about ?? "nothing");
    await this.#world.settle();
    if (act?.foundLater) await this.#world.advance(PROOF_INTERVAL_MS);
    if (act?.miner && act.work)
      this.#judge(act, act.miner, act.work, before, held.get(act.miner) ?? new Set());
  }

  #judge(
    { about, lies, completes }: Act,
    miner: SimMiner,
    { lease, complete }: Work,
    before: ReadonlyMap<string, JobTable | undefined>,
    held: ReadonlySet<string>,
  ): void {
    const row = before.get(lease.job_id);
    const runs = row?.state === "RUNNING" && row.token === lease.token && row.miner_id === miner.minerId;
    // A completion needs the lease and its miner; any other frame the session that holds it too.
    const isLive = runs && (completes === true || held.has(leaseName(lease)));
    const refusal = miner.heard.find((frame) => frame.type === "fenced" && isSame(frame, lease));
    const code = refusal?.type === "fenced" ? refusal.code : undefined;
    const { findings } = this.#world;
    if (!isLive) {
      const isAgain = completes === true && complete !== undefined && this.#isStored(lease, complete);
      if (isAgain) {
        const told = miner.heard.some((frame) => frame.type === "completed" && isSame(frame, lease));
        findings.expect(told, `${about}: a completion that comes again was not answered with its receipt`);
      } else {
        this.#fenced++;
        findings.expect(
          code === "STALE_LEASE",
          `${about}: a stale write was answered with ${code ?? "nothing"}`,
        );
      }
    } else if (lies) {
      this.#fenced++;
      findings.expect(code !== undefined, `${about}: a lie was accepted`);
      findings.expect(this.#row(lease.job_id)?.state !== "COMPLETED", `${about}: a lie completed the job`);
    } else {
      findings.expect(code === undefined, `${about}: an honest frame was refused with ${code}`);
    }
  }

  /** Whether a completion is the one that the coordinator has stored. */
  #isStored({ job_id, token }: LeaseId, frame: NonNullable<Work["complete"]>): boolean {
    if (frame.type !== "complete") return false;
    const receipt = receiptFromJson(frame.receipt);
    const stored = this.#world.disk.witness
      .prepare<[string, number], string>(
        "select hash from coordinator_receipt where job_id = ? and token = ?",
      )
      .pluck()
      .get(job_id, token);
    return stored === receiptHash(receipt, canonicalReceipt(receipt));
  }

  /** A random miner with a session, and one of the leases it was ever offered. */
  #pick(): { miner: SimMiner; work: Work } | undefined {
    const able = this.#miners.filter((miner) => miner.connected && miner.works.length > 0);
    const miner = able[this.#random.below(able.length)];
    if (!miner) return undefined;
    // Mostly what it holds: stale frames come up often enough.
    const held = miner.works.filter(({ lease }) => miner.held.has(leaseName(lease)));
    const from = held.length > 0 && !this.#random.once(4) ? held : miner.works;
    const work = from[this.#random.below(from.length)];
    return work && { miner, work };
  }

  /** Sends one frame about a lease, or undefined when there is none to send. */
  #frame(): Act | undefined {
    const picked = this.#pick();
    if (!picked) return undefined;
    const { miner, work } = picked;
    const isHeld = miner.held.has(leaseName(work.lease));
    const act = (about: string, rest: Partial<Act> = {}): Act => ({
      about: `${miner.name} ${about} ${leaseName(work.lease)}`,
      miner,
      work,
      ...rest,
    });
    switch (this.#random.below(16)) {
      case 0:
        miner.start(work);
        return act("starts");
      case 1:
        if (!work.lastChunk) return undefined;
        miner.send(work.lastChunk);
        return act("repeats its last chunk of");
      case 2:
        miner.inject(work, work.sent + 1, STRAY);
        return act("leaves a gap in", { lies: true });
      case 3:
        miner.progress(work, { units: work.statements + 100_000 });
        return act("lies about the units of", { lies: true });
      case 4:
        miner.progress(work, {}, true);
        return act("forges the progress of", { lies: true, foundLater: true });
      case 5:
      case 6:
        miner.progress(work);
        return act("states the progress of");
      case 7:
        return this.#lie(act, miner, work);
      case 8:
        if (!work.complete) return undefined;
        miner.send(work.complete);
        // Sent a second time it may be late, but it is true only if it was.
        return { about: act("completes again").about };
      case 9:
        miner.fail(work, true);
        return act("fails");
      case 10:
        if (!this.#random.once(3)) return undefined;
        this.#noteHopeless(work);
        miner.fail(work, false);
        return act("gives up for all");
      case 11:
      case 12:
        miner.finish(work);
        // Several frames: text first, then the completion; only what is short of text is one.
        return isHeld ? act("finishes", { completes: true }) : { about: act("finishes late").about };
      default:
        if (!isHeld) {
          miner.inject(work, work.sent, STRAY);
          return act("delivers late to");
        }
        if (work.sent === work.answer.length) return undefined;
        miner.chunk(work, 1 + this.#random.below(PIECE_BYTES));
        return act("delivers to");
    }
  }

  #noteHopeless({ lease }: Work): void {
    const facts = this.#jobs.get(lease.job_id);
    if (facts) facts.hopeless = true;
  }

  /** A completion that is false in one way. */
  #lie(act: (about: string, rest: Partial<Act>) => Act, miner: SimMiner, work: Work): Act | undefined {
    const receipt = miner.receipt(work);
    if (!receipt) return undefined;
    const rest = { lies: true, completes: true };
    const other = this.#miners.find((one) => one !== miner);
    switch (this.#random.below(4)) {
      case 0:
        miner.complete(work, miner.sign({ ...receipt, units: receipt.units + 1 }));
        return act("completes with too many units", rest);
      case 1:
        miner.complete(work, miner.sign({ ...receipt, price: receipt.price + 1 }));
        return act("completes at a higher price", rest);
      case 2:
        miner.complete(work, other?.sign(receipt) ?? receipt);
        return act("completes with another's signature", rest);
      default:
        miner.complete({ ...work, lease: { ...work.lease, token: work.lease.token + 1 } }, receipt);
        return { about: act("completes under a token to come", rest).about };
    }
  }

  /** Something else than a frame about a lease. */
  async #event(): Promise<void> {
    const world = this.#world;
    const miner = this.#miners[this.#random.below(this.#miners.length)];
    if (!miner) return;
    switch (this.#random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (this.#jobs.size < MAX_JOBS) await this.#submit();
        return;
      case 4:
        this.#trace.push(`${miner.name} disconnects`);
        return miner.disconnect();
      case 5:
      case 6:
      case 7:
        return this.#reconnect(miner);
      case 8: {
        const running = miner.works.filter(() => !this.#random.once(3)).map(({ lease }) => lease);
        this.#trace.push(`${miner.name} beats for ${running.map(leaseName).join(" ")}`);
        return miner.connected ? miner.heartbeat(running.slice(-8)) : undefined;
      }
      case 9:
        return this.#pass((LEASE_SECONDS + 1) * 1000);
      case 10:
      case 11:
      case 12:
        return this.#pass(100 + this.#random.below(2_500));
      case 13: {
        const ids = [...this.#jobs.keys()];
        const jobId = ids[this.#random.below(ids.length)];
        if (jobId === undefined) return;
        const isCanceled = await world.cancel(jobId);
        this.#trace.push(`cancel ${jobId}: ${isCanceled}`);
        const facts = this.#jobs.get(jobId);
        if (facts && isCanceled) facts.canceled = true;
        return;
      }
      case 14: {
        const ms = this.#random.once(2) ? HOUR_MS : -HOUR_MS;
        this.#trace.push(`the wall clock jumps by ${ms} ms`);
        return world.jump(ms);
      }
      default:
        return this.#restart();
    }
  }

  async #submit(limits: JobLimits = this.#limits()): Promise<string> {
    const plan = {
      seed: this.#random.below(1_000_000),
      bytes: ANSWER_BYTES.least + this.#random.below(ANSWER_BYTES.range),
      slow: false,
    };
    const jobId = await this.#world.submit({
      payload: { type: "inference", model: SIM_MODEL, prompt: promptOf(plan) },
      ...limits,
    });
    this.#trace.push(`submit ${jobId}`);
    const facts = { canceled: false, hopeless: false, ended: undefined, token: 0, bytes: 0 };
    this.#jobs.set(jobId, { plan, ...facts });
    return jobId;
  }

  #limits(): JobLimits {
    return {
      max_attempts: 1 + this.#random.below(4),
      ttl_seconds: 5 + this.#random.below(60),
      max_run_seconds: this.#random.once(4) ? 3 : 600,
    };
  }

  /** Comes back, with an honest list of its leases, none, or one that names others too. */
  #reconnect(miner: SimMiner): void {
    const all = miner.works.map(({ lease }) => lease);
    const mode = this.#random.below(4);
    const held = all.filter((lease) => miner.held.has(leaseName(lease)));
    const strange = this.#miners.flatMap(({ works }) => works.map(({ lease }) => lease));
    const running = mode === 0 ? [] : mode === 1 ? strange : held.length > 0 ? held : all;
    this.#trace.push(`${miner.name} connects with ${running.map(leaseName).join(" ")}`);
    if (this.#random.once(2)) miner.disconnect();
    miner.connect(running.slice(-16));
  }

  async #pass(ms: number): Promise<void> {
    this.#trace.push(`${ms} ms pass`);
    await this.#world.advance(ms);
  }

  async #restart(): Promise<void> {
    this.#trace.push("the coordinator is started anew");
    const held = this.#miners.map((miner) => miner.works.map(({ lease }) => lease).slice(-4));
    for (const miner of this.#miners) miner.disconnect();
    await this.#world.stop();
    await this.#world.start();
    for (const [index, miner] of this.#miners.entries()) {
      if (!this.#random.once(3)) miner.connect(held[index] ?? []);
    }
  }

  /** An honest miner takes over and everything ends. */
  async #drain(): Promise<void> {
    const world = this.#world;
    for (const miner of this.#miners) miner.disconnect();
    const honest = new SimMiner(world, "honest", 16);
    this.#miners.push(honest);
    this.#trace.push("an honest miner takes over");
    honest.connect([]);
    await world.settle();
    for (let round = 0; round < DRAIN_ROUNDS; round++) {
      for (const work of honest.works) if (honest.held.has(leaseName(work.lease))) honest.finish(work);
      await world.settle();
      this.#watch();
      if ([...this.#jobs.values()].every(({ ended }) => ended !== undefined)) return;
      await world.advance(1000);
    }
  }

  /** Everybody comes back and writes under every lease that ever was: nothing may change any more. */
  async #haunt(): Promise<void> {
    const world = this.#world;
    this.#trace.push("every old lease is written under once more");
    for (const miner of this.#miners) {
      if (!miner.connected) miner.connect([]);
      await world.settle();
      for (const work of miner.works) {
        for (const write of ["chunk", "progress", "fail"] as const) {
          miner.listen();
          if (write === "chunk") miner.inject(work, work.sent, STRAY);
          else if (write === "progress") miner.progress(work);
          else miner.fail(work, true);
          await world.settle();
          this.#fenced++;
          const isFenced = miner.heard.some(
            (frame) => frame.type === "fenced" && isSame(frame, work.lease) && frame.code === "STALE_LEASE",
          );
          const about = `${miner.name}: a late ${write} of ${leaseName(work.lease)}`;
          world.findings.expect(isFenced, `${about} was not fenced`);
        }
      }
    }
    this.#watch();
  }

  /** Looks at every row: what has ended stays as it is, nothing goes back. */
  #watch(): void {
    const { findings } = this.#world;
    for (const [jobId, facts] of this.#jobs) {
      const row = this.#row(jobId);
      if (!row) {
        findings.add(`job ${jobId} is lost`);
        continue;
      }
      const text = JSON.stringify(row);
      if (facts.ended !== undefined) {
        findings.expect(
          text === facts.ended,
          `job ${jobId} changed after its end: ${facts.ended} became ${text}`,
        );
      } else if (isTerminal(row.state)) facts.ended = text;
      const grows = row.token >= facts.token && row.delivered_bytes >= facts.bytes;
      findings.expect(grows, `job ${jobId}: its token or its text went back`);
      findings.expect(row.attempts <= row.max_attempts, `job ${jobId} ran ${row.attempts} times`);
      facts.token = row.token;
      facts.bytes = row.delivered_bytes;
    }
  }

  #row(jobId: string): JobTable | undefined {
    return this.#world.disk.witness
      .prepare<[string], JobTable>("select * from coordinator_job where job_id = ?")
      .get(jobId);
  }
}

/** What a stale write is answered with over HTTP; the sessions' frame carries the same code. */
export const STALE_STATUS: number = ERRORS.STALE_LEASE.status;
export const STRAY_TEXT = STRAY;

const isSame = (a: LeaseId, b: LeaseId): boolean => a.job_id === b.job_id && a.token === b.token;
