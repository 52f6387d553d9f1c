import { isTerminal } from "../../domain/job/state.ts";
import type { Channel } from "../../kernel/channel.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Principal } from "../../wire/access.ts";
import type { JobExplanation } from "../../wire/explain.ts";
import type { JobListQuery, JobPage } from "../../wire/job-lists.ts";
import type { JobResult, JobSubmission, JobView, ReceiptPage } from "../../wire/jobs.ts";
import { Admin } from "./admin.ts";
import { Artifacts } from "./artifacts/artifacts.ts";
import type { CoordinatorConfig } from "./config.ts";
import { Delivery } from "./delivery.ts";
import { Dispatcher } from "./dispatcher.ts";
import { readEvents, type StreamItem } from "./events.ts";
import { explainJob } from "./explain.ts";
import { IdempotencyKeys } from "./idempotency-keys.ts";
import { type CoordinatorIdentity, openIdentity } from "./identity.ts";
import { type Idempotency, Intake, type Submitted } from "./intake.ts";
import { listJobs } from "./job-lists.ts";
import { KeylessMiners } from "./keyless-miners.ts";
import { isKeyless } from "./keyless-profile.ts";
import { type Backlog, Leases } from "./leases.ts";
import { CoordinatorMetrics } from "./metrics.ts";
import { MinerAccounts } from "./miner-accounts.ts";
import { MinerHealth } from "./miner-health.ts";
import { MinerHistory } from "./miner-history.ts";
import { Miners } from "./miners.ts";
import { ModelCatalogue } from "./model-catalogue.ts";
import type { CoordinatorDeps } from "./ports.ts";
import { createQueueing, type Queueing } from "./queueing.ts";
import { adoptLeases, restoreLease } from "./recovery.ts";
import { Requirements } from "./requirements.ts";
import { roomFor } from "./room.ts";
import { Settlement } from "./settlement.ts";
import { findAnswer } from "./store/answers.ts";
import { findReceipt, listReceipts, readText } from "./store/delivery.ts";
import { countQueued, endQueued, findJob } from "./store/jobs.ts";
import { Streams } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";
import type { JobTable } from "./tables.ts";
import { Templates } from "./templates.ts";
import { readUsage } from "./usage.ts";
import { isLong, isPartial, LONG_ANSWER, toAnswer, toJobView, withDelivered } from "./views.ts";

/** How often a cancellation looks again when the job moves under it: more moves than any job makes at once. */
const CANCEL_RETRIES = 5;

/** Everything that exists once the coordinator's identity is known. */
interface Running {
  readonly identity: CoordinatorIdentity;
  readonly settlement: Settlement;
  readonly dispatcher: Dispatcher;
  readonly delivery: Delivery;
  readonly miners: Miners;
  readonly keyless: KeylessMiners;
  readonly sweeper: Sweeper;
}

/** The coordinator: takes jobs in, brings them to miners, streams and settles what they deliver. */
export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #config: CoordinatorConfig;
  readonly #leases = new Leases();
  readonly #streams = new Streams();
  readonly #requirements: Requirements;
  readonly #intake: Intake;
  readonly #keys: IdempotencyKeys;
  readonly #metrics: CoordinatorMetrics;
  readonly #instance: string;
  readonly #backlog: Backlog = { queued: 0 };
  readonly #health: MinerHealth;
  readonly #queueing: Queueing;
  #running: Running | undefined;
  readonly #unsubscribe: (() => void)[] = [];
  /** What miners ran and earned. */
  readonly minerHistory: MinerHistory;
  /** How miners stand, for their owners. */
  readonly minerAccounts: MinerAccounts;
  /** What administrators see and do. */
  readonly admin: Admin;
  /** Submissions that clients keep under a name. */
  readonly templates: Templates;
  /** What clients and miners upload. */
  readonly artifacts: Artifacts;
  /** Which models there are. */
  readonly models: ModelCatalogue;

  constructor(deps: CoordinatorDeps, config: CoordinatorConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#instance = deps.ids.next();
    this.#health = new MinerHealth(deps.clock);
    this.minerHistory = new MinerHistory(deps);
    this.minerAccounts = new MinerAccounts({
      ...deps,
      health: this.#health,
      running: () => this.#get(),
    });
    this.templates = new Templates(deps);
    this.artifacts = new Artifacts({ ...deps, leases: this.#leases }, config.artifacts);
    this.admin = new Admin({
      ...deps,
      backlog: this.#backlog,
      leases: this.#leases,
      health: this.#health,
      links: () => this.#get().dispatcher.sessions,
      nudgeClass: (requirementId) => this.#running?.dispatcher.nudgeClass(requirementId),
      nudge: (link) => this.#running?.dispatcher.nudge(link),
    });
    this.#requirements = new Requirements(deps.store, deps.clock);
    const links = () => this.#running?.dispatcher.sessions.values() ?? [];
    this.#queueing = createQueueing(deps, config, {
      requirements: this.#requirements,
      health: this.#health,
      leases: this.#leases,
      links,
      hasRoom: (client) => this.#running?.dispatcher.hasRoom(client),
    });
    this.models = new ModelCatalogue({ ...deps, config, links });
    this.#metrics = new CoordinatorMetrics(deps.metrics, {
      queued: () => this.#backlog.queued,
      running: () => this.#leases.size,
      readers: () => this.#streams.readers,
      miners: () => this.#running?.dispatcher.sessions.size ?? 0,
    });
    this.#keys = new IdempotencyKeys(deps.store);
    this.#intake = new Intake({
      ...deps,
      keys: this.#keys,
      config,
      ...this.#queueing,
      requirements: this.#requirements,
      backlog: this.#backlog,
      takeAtOnce: (job) => this.#running?.dispatcher.takeAtOnce(job),
    });
  }

  /** Opens the identity, takes up the leases of an earlier process, and begins to dispatch. */
  async start(): Promise<void> {
    const { store, bus, random, identityFile } = this.#deps;
    const identity = await openIdentity(identityFile, random);
    await this.#requirements.load();
    await this.#keys.load();
    await this.#queueing.fair.load();
    await this.admin.start();
    await this.artifacts.start();
    await this.models.load();
    const running = this.#compose(identity);
    this.#backlog.queued = await countQueued(store.db);
    await adoptLeases(this.#deps, this.#leases, this.#instance, this.#termMs);
    this.#running = running;
    this.#unsubscribe.push(
      bus.on("job.queued", ({ job_id, requirement_id }) => {
        running.dispatcher.nudgeClass(requirement_id, job_id);
      }),
      bus.on("job.ended", ({ job_id, state }) => {
        this.#metrics.ended(state);
        this.#streams.changed(job_id);
      }),
      bus.on("key.revoked", ({ key_id }) => {
        running.miners.expel(key_id);
        running.keyless.expel(key_id);
      }),
      bus.on("miner.connected", () => this.models.note()),
      bus.on("miner.updated", () => this.models.note()),
      bus.on("receipt.issued", () => this.#metrics.receipts.inc()),
    );
    running.sweeper.start();
    running.keyless.start();
  }

  get ready(): boolean {
    return this.#running !== undefined;
  }

  /** Grants no lease any more and brings what was delivered to disk. Running leases outlive the process. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (!running) return;
    running.dispatcher.close();
    running.sweeper.stop();
    running.keyless.stop();
    await running.delivery.drain();
  }

  get log(): Log {
    return this.#deps.log;
  }

  /** The miners that hold no signing key. @throws AppError SHUTTING_DOWN */
  get keyless(): KeylessMiners {
    return this.#get().keyless;
  }

  /** Serves a miner that an API key has admitted. */
  acceptMiner(keyId: string, channel: Channel): void {
    this.#get().miners.accept(keyId, channel);
  }

  async submit(client: Principal, submission: JobSubmission, idempotency?: Idempotency): Promise<Submitted> {
    this.#get();
    const submitted = await this.#intake.submit(client.owner_id, submission, idempotency);
    if (!submitted.replayed) this.#metrics.submitted.inc();
    return submitted;
  }

  /** How many more jobs of a model would begin at once. */
  room(model: string): number {
    const links = () => this.#running?.dispatcher.sessions.values() ?? [];
    const [health, fair, requirements] = [this.#health, this.#queueing.fair, this.#requirements];
    return roomFor(model, { links, health, fair, requirements });
  }

  async view(caller: Principal, jobId: string): Promise<JobView> {
    const job = await this.#findOwn(caller, jobId);
    return toJobView(this.#withDelivered(job), await this.#queueing.queue.view(job));
  }

  /** The miner that has, or had, a lease of a job. */
  async minerOf(jobId: string, token: number): Promise<string | undefined> {
    const lease = this.#leases.find(jobId);
    return lease?.token === token ? lease.minerId : this.minerHistory.minerOf(jobId, token);
  }

  /** Why a job went to its miner, or why it waits. */
  async explain(caller: Principal, jobId: string): Promise<JobExplanation> {
    const links = () => this.#running?.dispatcher.sessions.values() ?? [];
    return explainJob(await this.#findOwn(caller, jobId), { ...this.#deps, ...this.#queueing, links });
  }

  /** A page of jobs, newest first: a client's own, an administrator's all. */
  async list(caller: Principal, query: JobListQuery): Promise<JobPage> {
    const { limit, offset } = query;
    const owner = caller.kind === "admin" ? undefined : caller.owner_id;
    const { rows, ...page } = await listJobs(this.#deps.store, owner, query);
    return { items: rows.map((job) => toJobView(this.#withDelivered(job))), ...page, limit, offset };
  }

  #withDelivered(job: JobTable): JobTable {
    return withDelivered(job, this.#leases.find(job.job_id));
  }

  /** Removes what nobody needs any more, now instead of at its next time. */
  tidy(): Promise<void> {
    return this.#get().sweeper.tidy();
  }

  /** @throws AppError JOB_NOT_READY while the job waits or runs */
  async result(caller: Principal, jobId: string): Promise<JobResult> {
    const { db } = this.#deps.store;
    const job = await this.#findOwn(caller, jobId);
    if (!isTerminal(job.state)) throw new AppError("JOB_NOT_READY", "job not ready");
    if (job.state !== "COMPLETED" && !isPartial(job)) {
      throw new AppError(
        "CONFLICT_STATE",
        `the job is ${job.state} and delivered nothing${job.error ? `: ${job.error}` : ""}`,
      );
    }
    const receipt = await findReceipt(db, jobId);
    const artifact = isLong(job)
      ? await this.artifacts.nameOutput(job)
      : isKeyless(job.miner_id)
        ? await this.artifacts.resultOf(jobId)
        : undefined;
    return {
      result: {
        ...(isLong(job) ? LONG_ANSWER : toAnswer(job, await readText(db, jobId))),
        model: job.model,
        finish_reason: job.finish_reason,
        usage: await readUsage(db, job),
        segments: job.token,
        ...(isKeyless(job.miner_id) && (await this.#readOriginal(jobId))),
        ...(artifact && { artifact }),
        ...(isPartial(job) && { partial: true }),
      },
      receipt: receipt ? JSON.parse(receipt.document) : null,
    };
  }

  /** The result as a miner without a key wrote it. */
  async #readOriginal(jobId: string): Promise<{ original?: unknown }> {
    const answer = await findAnswer(this.#deps.store.db, jobId);
    return answer ? { original: JSON.parse(answer.document) } : {};
  }

  /** Cancels a job that waits or runs; what was delivered is settled. @throws AppError CONFLICT_STATE */
  async cancel(caller: Principal, jobId: string): Promise<JobView> {
    const { store, clock, bus } = this.#deps;
    for (let attempt = 0; attempt < CANCEL_RETRIES; attempt++) {
      const job = await this.#findOwn(caller, jobId);
      if (isTerminal(job.state)) throw new AppError("CONFLICT_STATE", "job not cancelable");
      if (job.state === "RUNNING") {
        await this.#cancelRunning(jobId);
      } else {
        const end = { job_id: jobId, state: "CANCELED", completed_at: clock.now(), error: null } as const;
        const place = await store.operation(endQueued, end);
        if (place) {
          this.#backlog.queued--;
          this.#queueing.fair.withdraw(place);
          bus.emit("job.ended", { job_id: jobId, state: "CANCELED" });
        }
      }
      const after = await this.#findOwn(caller, jobId);
      if (isTerminal(after.state)) return toJobView(after);
    }
    throw new AppError("CONFLICT_STATE", "the job changes too fast to be canceled; try again");
  }

  /** The job's stream from after a sequence number; undefined when it was read to its end. */
  async events(
    caller: Principal,
    jobId: string,
    afterSeq: number,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<StreamItem, void, void> | undefined> {
    const job = await this.#findOwn(caller, jobId);
    if (isTerminal(job.state) && afterSeq > job.last_seq) return undefined;
    const { max_streams } = this.#config;
    if (this.#streams.readers >= max_streams) {
      throw new AppError("LIMIT_EXCEEDED", `${max_streams} streams are open already; try again later`);
    }
    const source = {
      store: this.#deps.store,
      streams: this.#streams,
      queueView: (row: JobTable) => this.#queueing.queue.view(row),
      isUnwritten: (id: string) => this.#leases.find(id)?.lastSeq === 0,
    };
    return readEvents(source, jobId, afterSeq, signal);
  }

  /** The states of a job from now to its end, without its text. */
  async states(
    caller: Principal,
    jobId: string,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<StreamItem, void, void>> {
    const { last_seq } = this.#withDelivered(await this.#findOwn(caller, jobId));
    const source = await this.events(caller, jobId, last_seq, signal);
    if (!source) throw new AppError("JOB_NOT_FOUND", "job not found");
    return source;
  }

  async receipt(caller: Principal, jobId: string): Promise<unknown> {
    await this.#findOwn(caller, jobId);
    const row = await findReceipt(this.#deps.store.db, jobId);
    if (!row) throw new AppError("RECEIPT_NOT_FOUND", "receipt not available");
    return JSON.parse(row.document);
  }

  /** Receipts of a job, oldest first; the cursor is the last token of the page before. */
  async receipts(caller: Principal, jobId: string, cursor: number, limit: number): Promise<ReceiptPage> {
    await this.#findOwn(caller, jobId);
    const rows = await listReceipts(this.#deps.store.db, jobId, cursor, limit + 1);
    const page = rows.slice(0, limit);
    return {
      items: page.map((row) => JSON.parse(row.document)),
      next_cursor: rows.length > limit ? String(page.at(-1)?.token) : null,
    };
  }

  #compose(identity: CoordinatorIdentity): Running {
    const deps = this.#deps;
    const shared = {
      ...deps,
      config: this.#config,
      identity,
      leases: this.#leases,
      streams: this.#streams,
      backlog: this.#backlog,
      health: this.#health,
      ...this.#queueing,
      requirements: this.#requirements,
      artifacts: this.artifacts,
    };
    const readopt = (jobId: string): void => {
      this.#readopt(jobId).catch((error: unknown) =>
        deps.log.error({ err: error, job_id: jobId }, "lease not taken up"),
      );
    };
    const settlement = new Settlement({ ...shared, onUnsettled: readopt });
    const dispatcher = new Dispatcher({
      ...shared,
      instance: this.#instance,
      coordinatorId: identity.id,
    });
    const delivery = new Delivery({
      ...shared,
      onFenced: (lease) => {
        const { holder } = lease;
        this.#leases.remove(lease);
        holder?.revoke(
          lease,
          "fenced",
          "STALE_LEASE",
          "what was delivered could not be stored under this lease",
        );
        readopt(lease.jobId);
      },
    });
    const miners = new Miners({
      ...shared,
      delivery,
      settlement,
      dispatcher,
      deliveredBytes: (bytes) => this.#metrics.deliveredBytes.inc(bytes),
    });
    const keyless = new KeylessMiners({ ...shared, settlement, dispatcher });
    const sweeper = new Sweeper({
      ...shared,
      keys: this.#keys,
      settlement,
      dispatcher,
      onExpired: (place) => {
        this.#backlog.queued--;
        this.#queueing.fair.withdraw(place);
        deps.bus.emit("job.ended", { job_id: place.job_id, state: "EXPIRED" });
      },
    });
    return { identity, settlement, dispatcher, delivery, miners, keyless, sweeper };
  }

  get #termMs(): number {
    return this.#config.lease_seconds * 1000;
  }

  /** Takes a lease up again from its rows, when memory and rows may differ. It runs out at once. */
  async #readopt(jobId: string): Promise<void> {
    const { store } = this.#deps;
    const job = await findJob(store.db, jobId);
    if (job?.state !== "RUNNING" || this.#leases.find(jobId)) return;
    this.#leases.add(await restoreLease(this.#deps, job, { holdMs: 0, termMs: this.#termMs }));
  }

  async #cancelRunning(jobId: string): Promise<void> {
    const lease = this.#leases.find(jobId);
    const aside = this.#leases.whyAside(jobId);
    if (aside) throw new AppError("CONFLICT_STATE", aside.message);
    if (!lease) return;
    const { holder } = lease;
    const { settlement } = this.#get();
    const settled = settlement.fail(lease, { outcome: "canceled", error: null, retry: false });
    // Nothing more is accepted from here on: the engine stops now, not a commit later.
    holder?.revoke(lease, "cancel", "JOB_CANCELED", "canceled by its client");
    await settled;
  }

  /** The job, if it exists and the caller may see it: other clients' jobs do not exist for a client. */
  async #findOwn(caller: Principal, jobId: string): Promise<JobTable> {
    const job = await findJob(this.#deps.store.db, jobId);
    if (!job || (caller.kind !== "admin" && job.client_id !== caller.owner_id)) {
      throw new AppError("JOB_NOT_FOUND", "job not found");
    }
    return job;
  }

  #get(): Running {
    if (!this.#running) throw new AppError("SHUTTING_DOWN", "the coordinator is not running");
    return this.#running;
  }
}
