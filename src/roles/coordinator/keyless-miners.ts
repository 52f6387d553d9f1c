import { toHex, utf8Length } from "../../crypto/bytes.ts";
import type { Bus } from "../../kernel/bus.ts";
import { type Channel, CLOSE } from "../../kernel/channel.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError, ERRORS, isErrorCode } from "../../kernel/errors.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Principal } from "../../wire/access.ts";
import type { BusEvents } from "../../wire/events.ts";
import { MAX_INLINE_BYTES } from "../../wire/limits.ts";
import {
  type Assignment,
  type FailBody,
  type Heartbeat,
  type HeldLease,
  type KeylessCapabilities,
  MAX_POLL_SECONDS,
  type Registration,
  type ResultBody,
} from "../../wire/miners.ts";
import { readAnswer, readReference } from "./answer.ts";
import { resultTooLarge } from "./artifacts/admission.ts";
import type { Artifacts } from "./artifacts/artifacts.ts";
import type { CoordinatorConfig } from "./config.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { idOf, type KeylessCaller, UNNAMED } from "./keyless-caller.ts";
import { KeylessMiner } from "./keyless-miner.ts";
import { toMinerCapabilities } from "./keyless-profile.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import { HEARTBEATS_TO_OFFLINE, RECHECK_INTERVAL_MS } from "./limits.ts";
import type { MinerProfile } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import type { Settlement } from "./settlement.ts";
import { findSegment } from "./store/delivery.ts";
import { findJob } from "./store/jobs.ts";
import { upsertMiner } from "./store/miners.ts";
import type { Streams } from "./streams.ts";

/** Random bytes of a registration's token. */
const TOKEN_BYTES = 16;
const MS_PER_SECOND = 1000;

/** What a registration is answered with. */
export interface Registered {
  readonly session_token: string;
  readonly miner_id: string;
  readonly heartbeat_seconds: number;
  readonly lease_seconds: number;
}

interface KeylessDeps {
  readonly store: Store;
  readonly bus: Bus<BusEvents>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly config: CoordinatorConfig;
  readonly leases: Leases;
  readonly streams: Streams;
  readonly settlement: Settlement;
  readonly dispatcher: Dispatcher;
  readonly artifacts: Artifacts;
}

/**
 * Serves the miners that hold no signing key. They are fenced by (API key, name, current lease), and by the
 * lease's token where they send it. Registrations live in memory: after a restart such a miner hears "miner not
 * registered" and registers again; its running leases wait for it.
 */
export class KeylessMiners {
  readonly #deps: KeylessDeps;
  readonly #miners = new Map<string, KeylessMiner>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: KeylessDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => this.sweep(), RECHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Answers the polls that wait. Running leases outlive the process. */
  stop(): void {
    clearInterval(this.#timer);
    for (const miner of this.#miners.values()) miner.close(CLOSE.goingAway, "the coordinator stops");
    this.#miners.clear();
  }

  /** @throws AppError MINER_KEY_REQUIRED, LIMIT_EXCEEDED */
  async register(caller: KeylessCaller, body: Registration): Promise<Registered> {
    const { config, store, clock, log } = this.#deps;
    if (!config.allow_keyless_miners) {
      throw new AppError(
        "MINER_KEY_REQUIRED",
        "miners without a signing key are not admitted here: run `aitbc miner start`, which has one, or let the operator set coordinator.allow_keyless_miners to true",
      );
    }
    const name = caller.name ?? UNNAMED;
    const minerId = idOf(caller);
    if (!this.#miners.has(minerId)) this.#makeRoom();
    const profile: MinerProfile = {
      minerId,
      name,
      region: body.region ?? null,
      payout: null,
      slots: body.concurrency,
      capabilities: toMinerCapabilities(body.capabilities),
    };
    const now = clock.now();
    await store.operation(upsertMiner, {
      miner_id: minerId,
      public_key: "",
      key_id: caller.principal.key_id,
      name,
      region: profile.region,
      payout: null,
      registered_at: now,
      last_seen_at: now,
    });
    const miner = this.#enter(caller, profile);
    log.info({ miner_id: minerId, name, slots: profile.slots }, "miner without a key registered");
    return {
      session_token: miner.sessionToken,
      miner_id: minerId,
      heartbeat_seconds: config.heartbeat_seconds,
      lease_seconds: config.lease_seconds,
    };
  }

  heartbeat(caller: KeylessCaller, { inflight }: Heartbeat): HeldLease[] {
    const miner = this.#get(caller);
    for (const lease of miner.alive(inflight)) this.#renew(lease);
    this.#deps.dispatcher.nudge(miner);
    return miner.heldLeases();
  }

  /** Waits for a job, at most `maxWaitSeconds` and MAX_POLL_SECONDS; undefined when none came. */
  async poll(
    caller: KeylessCaller,
    maxWaitSeconds: number,
    signal: AbortSignal,
  ): Promise<Assignment | undefined> {
    const { dispatcher, leases } = this.#deps;
    const miner = this.#get(caller);
    if (miner.draining) return undefined;
    const waiting = miner.poll(Math.min(maxWaitSeconds, MAX_POLL_SECONDS) * MS_PER_SECOND, signal);
    dispatcher.nudge(miner);
    const assignment = await waiting;
    miner.seenAt = this.#deps.clock.monotonic();
    const lease = assignment && leases.find(assignment.job_id);
    // Canceled between its claim and this answer: there is nothing to hand out.
    if (!assignment || lease?.token !== assignment.lease_token) return undefined;
    if (signal.aborted) miner.putBack(lease, assignment);
    else this.#renew(lease);
    return assignment;
  }

  async begin(caller: KeylessCaller, jobId: string, token: number | undefined): Promise<void> {
    const lease = await this.#held(caller, jobId, token);
    this.#miners.get(lease.minerId)?.begin(lease);
    this.#renew(lease);
    this.#deps.streams.changed(jobId);
    this.#deps.bus.emit("job.started", { job_id: jobId, miner_id: lease.minerId, token: lease.token });
  }

  /** Completes a job. The receipt is the answer. @throws AppError STALE_LEASE, PAYLOAD_TOO_LARGE, INVALID_PAYLOAD */
  async complete(
    caller: KeylessCaller,
    jobId: string,
    { result, lease_token }: Pick<ResultBody, "result" | "lease_token">,
  ): Promise<Record<string, unknown>> {
    const { settlement, artifacts } = this.#deps;
    const { text, answer } = readAnswer(result);
    if (lease_token !== undefined && (await this.#hasRun(caller, jobId, lease_token))) {
      const receipt = await settlement.replayUnsigned(jobId, lease_token, answer.sha256);
      return receipt as Record<string, unknown>;
    }
    const lease = await this.#held(caller, jobId, lease_token);
    const most = Math.min(lease.terms.max_output_bytes, MAX_INLINE_BYTES);
    if (utf8Length(text) > most) throw resultTooLarge(most);
    const reference = readReference(result);
    const artifact =
      reference === undefined ? undefined : await artifacts.takeAsResult(caller.principal, reference);
    try {
      const whole = { ...answer, ...(artifact && { artifact }) };
      return { ...(await settlement.completeUnsigned(lease, text, whole)) };
    } finally {
      this.#free(lease);
    }
  }

  /** Gives a job up: it waits for another attempt, unless nobody could run it. @throws AppError STALE_LEASE */
  async fail(
    caller: KeylessCaller,
    jobId: string,
    body: Pick<FailBody, "error_code" | "error_message" | "retryable" | "lease_token">,
  ): Promise<void> {
    const lease = await this.#held(caller, jobId, body.lease_token);
    const { error_code: code, error_message: message } = body;
    const final = isErrorCode(code) && ERRORS[code].retry === "never";
    const error = message === "" ? code : `${code}: ${message}`;
    const retry = body.retryable && !final;
    try {
      const state = await this.#deps.settlement.fail(lease, { outcome: "failed", error, retry });
      if (!state) throw staleLease();
    } finally {
      this.#free(lease);
    }
  }

  /** No new jobs from here on. Returns what still runs. */
  drain(caller: KeylessCaller): HeldLease[] {
    const miner = this.#get(caller);
    this.setDraining(miner.minerId, true);
    return miner.heldLeases();
  }

  /** As its owner decides: no new jobs until the next registration, or jobs again. @throws AppError MINER_NOT_FOUND */
  setDraining(minerId: string, draining: boolean): void {
    const miner = this.#miners.get(minerId);
    if (!miner) throw notRegistered();
    miner.draining = draining;
    if (draining) miner.finishDrain();
  }

  /** Replaces what a miner can do; `id` is its name or its id. */
  update(principal: Principal, id: string, capabilities: KeylessCapabilities): KeylessMiner {
    const miner = this.#find(principal, id);
    miner.profile = { ...miner.profile, capabilities: toMinerCapabilities(capabilities) };
    this.#deps.bus.emit("miner.updated", { miner_id: miner.minerId });
    this.#deps.dispatcher.nudge(miner);
    return miner;
  }

  /** Takes a miner out. Its leases end now, so that its jobs go to others. */
  deregister(principal: Principal, id: string): void {
    this.#remove(this.#find(principal, id), "the miner has deregistered", 0);
  }

  /** Serves a registered miner's socket. */
  attach(caller: KeylessCaller, channel: Channel): void {
    const miner = this.#get(caller);
    miner.attach(channel);
    channel.onClose(() => {
      miner.detach(channel);
      miner.seenAt = this.#deps.clock.monotonic();
    });
    this.#deps.dispatcher.nudge(miner);
  }

  has(caller: KeylessCaller): boolean {
    return this.#miners.has(idOf(caller));
  }

  /** Whether the caller is registered; a refusal otherwise. @throws AppError MINER_NOT_FOUND */
  check(caller: KeylessCaller): void {
    this.#get(caller);
  }

  /** Takes out the miners that an API key admitted. */
  expel(keyId: string): void {
    const graceMs = this.#deps.config.reconnect_grace_seconds * MS_PER_SECOND;
    for (const miner of [...this.#miners.values()]) {
      if (miner.keyId === keyId) this.#remove(miner, "the API key was revoked", graceMs);
    }
  }

  /** Miners that gave no sign of life for a while are offline until their next one. */
  sweep(): void {
    const { clock, config, dispatcher, bus, log } = this.#deps;
    const now = clock.monotonic();
    const longest = config.heartbeat_seconds * HEARTBEATS_TO_OFFLINE * MS_PER_SECOND;
    for (const miner of this.#miners.values()) {
      if (miner.attached) miner.seenAt = now;
      if (!miner.open || now - miner.seenAt <= longest) continue;
      miner.open = false;
      dispatcher.remove(miner);
      log.info({ miner_id: miner.minerId }, "miner disconnected");
      bus.emit("miner.disconnected", { miner_id: miner.minerId });
    }
  }

  #enter(caller: KeylessCaller, profile: MinerProfile): KeylessMiner {
    const { clock, random, leases, dispatcher } = this.#deps;
    const { minerId } = profile;
    const known = this.#miners.get(minerId);
    const miner =
      known ??
      new KeylessMiner({
        keyId: caller.principal.key_id,
        sessionToken: toHex(random(TOKEN_BYTES)),
        profile,
        now: clock.monotonic(),
      });
    miner.profile = profile;
    miner.draining = false;
    for (const lease of leases.values()) if (lease.minerId === minerId) miner.adopt(lease);
    if (!known) {
      this.#miners.set(minerId, miner);
      this.#connect(miner);
    }
    this.#live(miner);
    dispatcher.nudge(miner);
    return miner;
  }

  #connect(miner: KeylessMiner): void {
    miner.open = true;
    this.#deps.dispatcher.add(miner);
    this.#deps.bus.emit("miner.connected", { miner_id: miner.minerId });
  }

  /** A sign of life: an offline miner is online again. */
  #live(miner: KeylessMiner): void {
    miner.seenAt = this.#deps.clock.monotonic();
    if (!miner.open) this.#connect(miner);
  }

  #get(caller: KeylessCaller): KeylessMiner {
    const miner = this.#miners.get(idOf(caller));
    if (!miner) throw notRegistered();
    this.#live(miner);
    return miner;
  }

  #find(principal: Principal, id: string): KeylessMiner {
    const miner = this.#miners.get(idOf({ principal, name: id })) ?? this.#miners.get(id);
    if (miner?.keyId !== principal.key_id) throw notRegistered();
    return miner;
  }

  #remove(miner: KeylessMiner, reason: string, graceMs: number): void {
    const { clock, dispatcher, bus } = this.#deps;
    const until = clock.monotonic() + graceMs;
    this.#miners.delete(miner.minerId);
    dispatcher.remove(miner);
    miner.close(CLOSE.goingAway, reason);
    for (const lease of miner.leases.values()) {
      lease.holder = undefined;
      lease.expiresAt = Math.min(lease.expiresAt, until);
    }
    miner.leases.clear();
    bus.emit("miner.disconnected", { miner_id: miner.minerId });
  }

  /** Room for one more: an offline miner is forgotten for it. @throws AppError LIMIT_EXCEEDED */
  #makeRoom(): void {
    const most = this.#deps.config.max_sessions;
    if (this.#miners.size < most) return;
    const offline = [...this.#miners.values()].find(({ open, leases }) => !open && leases.size === 0);
    if (!offline) throw new AppError("LIMIT_EXCEEDED", `${most} miners are registered already`);
    this.#miners.delete(offline.minerId);
  }

  /** The lease that a call writes under. @throws AppError STALE_LEASE, MINER_NOT_FOUND, JOB_NOT_FOUND */
  async #held(caller: KeylessCaller, jobId: string, token: number | undefined): Promise<Lease> {
    const minerId = idOf(caller);
    const lease = this.#deps.leases.find(jobId);
    const miner = this.#miners.get(minerId);
    if (miner) this.#live(miner);
    if (lease?.minerId === minerId && (token === undefined || lease.token === token)) return lease;
    if (!miner) throw notRegistered();
    if (!(await findJob(this.#deps.store.db, jobId))) throw new AppError("JOB_NOT_FOUND", "job not found");
    throw staleLease();
  }

  /** Whether a lease of this miner has ended. */
  async #hasRun(caller: KeylessCaller, jobId: string, token: number): Promise<boolean> {
    if (this.#deps.leases.find(jobId)?.token === token) return false;
    await this.#deps.settlement.settled(jobId, token);
    const segment = await findSegment(this.#deps.store.db, jobId, token);
    return segment?.miner_id === idOf(caller) && segment.ended_at !== null;
  }

  #free(lease: Lease): void {
    const miner = this.#miners.get(lease.minerId);
    if (!miner) return;
    miner.release(lease);
    this.#deps.dispatcher.nudge(miner);
  }

  #renew(lease: Lease): void {
    lease.renew(this.#deps.clock.monotonic(), this.#deps.config.lease_seconds * MS_PER_SECOND);
  }
}

function notRegistered(): AppError {
  return new AppError("MINER_NOT_FOUND", "miner not registered");
}

function staleLease(): AppError {
  return new AppError("STALE_LEASE", "the lease on this job is not held: it ended, or is another miner's");
}
