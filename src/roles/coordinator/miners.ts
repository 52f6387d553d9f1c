import { addressOfKey } from "../../crypto/address.ts";
import { fromBase64Url, toBase64Url, toHex, utf8Length } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verifyAsync } from "../../crypto/ed25519.ts";
import { verifySessionProof } from "../../domain/job/session-proof.ts";
import { progressSignBytes } from "../../domain/receipt/progress.ts";
import type { Bus } from "../../kernel/bus.ts";
import { type Channel, CLOSE } from "../../kernel/channel.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { BusEvents } from "../../wire/events.ts";
import { MAX_UNSECURED_BYTES } from "../../wire/limits.ts";
import { SESSION_FEATURES } from "../../wire/session.ts";
import type { CoordinatorConfig } from "./config.ts";
import type { Delivery } from "./delivery.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { CoordinatorIdentity } from "./identity.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import { MAX_UNSTORED_BYTES, PROOF_INTERVAL_MS } from "./limits.ts";
import type { KeyedProfile } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import { MinerSession, type SessionHandler } from "./session.ts";
import type { Settlement } from "./settlement.ts";
import { upsertMiner } from "./store/miners.ts";
import type { Streams } from "./streams.ts";

/** Code of a reject by a miner that is about to leave. */
const DRAINING = "MINER_DRAINING";

/** Bytes of the challenge that a miner signs. */
const NONCE_BYTES = 32;

type FrameOf<Method extends keyof SessionHandler> = Parameters<SessionHandler[Method]>[1] & object;

/** Serves the miners: everything that a session's frames do. */
export class Miners implements SessionHandler {
  readonly #deps: MinersDeps;
  #sessions = 0;

  constructor(deps: MinersDeps) {
    this.#deps = deps;
  }

  /** Serves a miner over an open channel, admitted by an API key. */
  accept(keyId: string, channel: Channel): void {
    const { config, random, identity, log } = this.#deps;
    if (this.#sessions >= config.max_sessions) {
      channel.close(CLOSE.tryLater, `${config.max_sessions} miners are connected already`);
      return;
    }
    this.#sessions++;
    const nonce = toHex(random(NONCE_BYTES));
    const session = new MinerSession(channel, { keyId, nonce, handler: this, log });
    session.send({
      type: "challenge",
      v: 1,
      nonce,
      coordinator_id: identity.id,
      coordinator_public_key: toBase64Url(identity.publicKey),
      features: [...SESSION_FEATURES],
    });
  }

  /** Closes the sessions that an API key admitted. */
  expel(keyId: string): void {
    for (const session of this.#deps.dispatcher.sessions.values()) {
      if (session.keyId === keyId) session.close(CLOSE.goingAway, "the API key was revoked");
    }
  }

  async register(session: MinerSession, frame: FrameOf<"register">): Promise<KeyedProfile> {
    const { identity, clock, store } = this.#deps;
    const publicKey = fromBase64Url("public_key", frame.public_key, PUBLIC_KEY_BYTES);
    const minerId = addressOfKey(publicKey);
    const proof = { v: 1, nonce: session.nonce, coordinator_id: identity.id, miner_id: minerId } as const;
    const signature = fromBase64Url("signature", frame.signature, SIGNATURE_BYTES);
    if (!verifySessionProof(proof, identity.realm, signature, publicKey)) {
      throw new AppError("INVALID_SIGNATURE", "the registration is not signed by the key that it names");
    }
    const { name, region, payout, slots, capabilities } = frame;
    const now = clock.now();
    await store.operation(upsertMiner, {
      miner_id: minerId,
      public_key: frame.public_key,
      key_id: session.keyId,
      name,
      region,
      payout,
      registered_at: now,
      last_seen_at: now,
    });
    return { minerId, publicKey, name, region, payout, slots, capabilities };
  }

  registered(session: MinerSession, running: FrameOf<"register">["running"]): void {
    const { dispatcher, leases, config, log, bus } = this.#deps;
    const { minerId } = session;
    session.seenAt = this.#deps.clock.monotonic();
    const earlier = dispatcher.add(session);
    const resume: { job_id: string; token: number; bytes: number }[] = [];
    const lost: { job_id: string; token: number }[] = [];
    for (const { job_id, token } of running) {
      const lease = leases.find(job_id);
      if (lease?.token === token && lease.minerId === minerId) {
        lease.holder = session;
        session.leases.set(job_id, lease);
        this.#renew(lease);
        resume.push({ job_id, token, bytes: lease.acceptedBytes });
      } else lost.push({ job_id, token });
    }
    this.#endUnnamed(session);
    session.send({
      type: "registered",
      miner_id: minerId,
      heartbeat_ms: config.heartbeat_seconds * 1000,
      resume,
      lost,
    });
    earlier?.close(CLOSE.goingAway, "the miner has connected again");
    log.info(
      { miner_id: minerId, name: session.profile.name, slots: session.profile.slots },
      "miner connected",
    );
    bus.emit("miner.connected", { miner_id: minerId });
    dispatcher.nudge(session);
  }

  /**
   * Ends the leases that a miner holds and did not name when it registered: it has been started anew, or their
   * offers never reached it. Nobody has to wait for their terms.
   */
  #endUnnamed(session: MinerSession): void {
    const now = this.#deps.clock.monotonic();
    for (const lease of this.#deps.leases.values()) {
      if (lease.minerId === session.minerId && lease.holder !== session) lease.expiresAt = now;
    }
  }

  heartbeat(session: MinerSession, { running }: FrameOf<"heartbeat">): void {
    session.seenAt = this.#deps.clock.monotonic();
    for (const { job_id, token } of running) {
      const lease = session.leases.get(job_id);
      if (lease?.token === token) this.#renew(lease);
      else session.fence({ job_id, token }, staleLease());
    }
    this.#deps.dispatcher.nudge(session);
  }

  start(session: MinerSession, frame: FrameOf<"start">): void {
    const lease = this.#held(session, frame);
    this.#renew(lease);
    this.#deps.streams.changed(lease.jobId);
    this.#deps.bus.emit("job.started", { job_id: lease.jobId, miner_id: lease.minerId, token: lease.token });
  }

  async reject(session: MinerSession, frame: FrameOf<"reject">): Promise<void> {
    // An offer that crossed the miner's farewell: nobody is to blame, and it gets no further one.
    const unbegun = frame.code === DRAINING;
    if (unbegun) session.draining = true;
    await this.#fail(session, { ...frame, type: "fail", retryable: true }, unbegun);
  }

  chunk(session: MinerSession, frame: FrameOf<"chunk">): void {
    const lease = this.#held(session, frame);
    const bytes = utf8Length(frame.text);
    this.#renew(lease);
    // What was accepted before a reconnection may come again.
    if (frame.offset + bytes <= lease.acceptedBytes) return;
    if (frame.offset !== lease.acceptedBytes) {
      this.#violate(lease, `a chunk begins at byte ${frame.offset}, not at ${lease.acceptedBytes}`);
    }
    if (lease.unstoredBytes + bytes > MAX_UNSTORED_BYTES) {
      this.#violate(
        lease,
        `more than ${MAX_UNSTORED_BYTES} bytes wait to be stored; wait for confirmations, with at most ${MAX_UNSECURED_BYTES} bytes on their way`,
      );
    }
    if (lease.acceptedBytes + bytes > lease.terms.max_output_bytes) {
      this.#violate(lease, `the output is longer than ${lease.terms.max_output_bytes} bytes`);
    }
    this.#accept(lease, frame.text, bytes);
    this.#deps.deliveredBytes(bytes);
    this.#deps.delivery.schedule(lease);
  }

  #accept(lease: Lease, text: string, bytes: number): void {
    try {
      lease.accept(text, bytes);
    } catch (error) {
      if (error instanceof AppError) this.#violate(lease, error.message);
      throw error;
    }
  }

  async progress(session: MinerSession, { progress, signature }: FrameOf<"progress">): Promise<void> {
    const lease = this.#held(session, progress);
    const { seq, bytes, running_sha256, units, terms_hash } = progress;
    const expected = {
      bytes: lease.acceptedBytes,
      running_sha256: lease.outputSha256(),
      terms_hash: lease.termsHash,
      units: lease.deliveredUnits,
    };
    for (const [name, value] of Object.entries(expected)) {
      if (progress[name as keyof typeof expected] !== value)
        this.#violate(lease, `progress: ${name} is not ${value}`);
    }
    this.#renew(lease);
    const { publicKey } = session.profile;
    const { realm } = this.#deps.identity;
    const signatureBytes = fromBase64Url("signature", signature, SIGNATURE_BYTES);
    const isFirst = lease.claim({
      progress: {
        seq,
        bytes,
        running_sha256,
        units,
        terms_hash,
        key_id: toBase64Url(publicKey),
        sig: signature,
      },
      verify: () => verifyAsync(signatureBytes, progressSignBytes(progress, realm), publicKey),
    });
    const wait = lease.provenAt + PROOF_INTERVAL_MS - this.#deps.clock.monotonic();
    if (wait <= 0) await this.#prove(lease);
    else if (isFirst) this.#proveLater(session, lease, wait);
  }

  #proveLater(session: MinerSession, lease: Lease, wait: number): void {
    const timer = setTimeout(() => {
      this.#prove(lease).catch((error: unknown) =>
        session.fence({ job_id: lease.jobId, token: lease.token }, toAppError(error)),
      );
    }, wait);
    // What is not proven when the process ends stands as text that the coordinator vouches for alone.
    timer.unref();
  }

  /** Verifies the newest statement of a lease; one that is about to end has its own proven with its end. */
  async #prove(lease: Lease): Promise<void> {
    if (lease.ended) return;
    if (!(await lease.prove(this.#deps.clock.monotonic()))) {
      this.#violate(lease, "progress: the signature is not the miner's");
    }
    if (!lease.ended) this.#deps.delivery.schedule(lease);
  }

  async complete(session: MinerSession, frame: FrameOf<"complete">): Promise<void> {
    const { settlement, leases } = this.#deps;
    const { job_id, token } = frame;
    const lease = leases.find(job_id);
    if (lease?.token !== token || lease.minerId !== session.minerId) {
      const receipt = await settlement.replay(job_id, token, frame.receipt);
      session.send({ type: "completed", job_id, token, receipt: { ...receipt } });
      return;
    }
    this.#renew(lease);
    try {
      const receipt = await settlement.complete(lease, frame, session.profile.publicKey);
      session.release(lease);
      session.send({ type: "completed", job_id, token, receipt: { ...receipt } });
    } catch (error) {
      if (error instanceof AppError && !lease.ended) {
        await settlement.fail(lease, {
          outcome: "failed",
          error: `${error.code}: ${error.message}`,
          retry: true,
        });
      }
      session.release(lease);
      throw error;
    } finally {
      this.#deps.dispatcher.nudge(session);
    }
  }

  async fail(session: MinerSession, frame: FrameOf<"fail">): Promise<void> {
    await this.#fail(session, frame, false);
  }

  async #fail(session: MinerSession, frame: FrameOf<"fail">, unbegun: boolean): Promise<void> {
    const lease = this.#held(session, frame);
    await this.#deps.settlement.fail(lease, {
      outcome: "failed",
      error: `${frame.code}: ${frame.message}`,
      retry: frame.retryable,
      unbegun: unbegun && lease.acceptedBytes === lease.terms.start_byte,
    });
    session.release(lease);
    this.#deps.dispatcher.nudge(session);
  }

  drain(session: MinerSession): void {
    session.draining = true;
    session.finishDrain();
  }

  updated(session: MinerSession): void {
    const { slots, capabilities } = session.profile;
    const { price, models } = capabilities;
    this.#deps.log.info({ miner_id: session.minerId, slots, price, models: models.length }, "miner updated");
    this.#deps.bus.emit("miner.updated", { miner_id: session.minerId });
    this.#deps.dispatcher.nudge(session);
  }

  /** The miner has a short time to come back; its leases run out after it. */
  closed(session: MinerSession): void {
    const { clock, config, dispatcher, bus, log } = this.#deps;
    this.#sessions--;
    if (!session.registered) return;
    dispatcher.remove(session);
    const until = clock.monotonic() + config.reconnect_grace_seconds * 1000;
    for (const lease of session.leases.values()) {
      if (lease.holder !== session) continue;
      lease.holder = undefined;
      lease.expiresAt = Math.min(lease.expiresAt, until);
    }
    session.leases.clear();
    log.info({ miner_id: session.minerId }, "miner disconnected");
    bus.emit("miner.disconnected", { miner_id: session.minerId });
  }

  /** The lease that a frame writes under. @throws AppError STALE_LEASE */
  #held(session: MinerSession, { job_id, token }: { job_id: string; token: number }): Lease {
    const lease = session.leases.get(job_id);
    if (!lease || lease.token !== token || lease.ended) throw staleLease();
    return lease;
  }

  /** A sign of life: the lease holds for another term. */
  #renew(lease: Lease): void {
    lease.renew(this.#deps.clock.monotonic(), this.#deps.config.lease_seconds * 1000);
  }

  /** A miner that breaks the rules loses the lease; another may take the job. */
  #violate(lease: Lease, detail: string): never {
    const { settlement, log, dispatcher } = this.#deps;
    const holder = lease.holder;
    log.warn({ job_id: lease.jobId, miner_id: lease.minerId, detail }, "miner broke the protocol");
    settlement
      .fail(lease, { outcome: "failed", error: `PROTOCOL_VIOLATION: ${detail}`, retry: true })
      .catch((error: unknown) => log.error({ err: error, job_id: lease.jobId }, "lease was not settled"));
    if (holder instanceof MinerSession) {
      holder.release(lease);
      dispatcher.nudge(holder);
    }
    throw new AppError("PROTOCOL_VIOLATION", detail);
  }
}

export interface MinersDeps {
  readonly store: Store;
  readonly bus: Bus<BusEvents>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly config: CoordinatorConfig;
  readonly identity: CoordinatorIdentity;
  readonly leases: Leases;
  readonly streams: Streams;
  readonly delivery: Delivery;
  readonly settlement: Settlement;
  readonly dispatcher: Dispatcher;
  /** Counts delivered bytes. */
  deliveredBytes(bytes: number): void;
}

function staleLease(): AppError {
  return new AppError("STALE_LEASE", "the lease is no longer held");
}
