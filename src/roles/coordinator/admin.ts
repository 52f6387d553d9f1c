import { dirname } from "node:path";
import { AppError } from "../../kernel/errors.ts";
import { SystemProbe } from "../../kernel/system-usage.ts";
import type { AdminJobPage, AdminMiner, AdminMinerPage, Analytics, Stats, Status } from "../../wire/admin.ts";
import type { JobListQuery } from "../../wire/job-lists.ts";
import type { JobView } from "../../wire/jobs.ts";
import { MAX_PRIORITY } from "../../wire/limits.ts";
import { formatTime } from "../../wire/scalars.ts";
import { listJobs } from "./job-lists.ts";
import type { Backlog, Leases } from "./leases.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import { average, toAdminMiner } from "./miner-view.ts";
import type { CoordinatorDeps } from "./ports.ts";
import { findJob, raisePriority } from "./store/jobs.ts";
import {
  countMiners,
  findMiner,
  listDeactivated,
  listDrained,
  listMiners,
  markDeactivated,
} from "./store/miners.ts";
import { dayOf, listDays, startOfDay, sumDays } from "./store/totals.ts";
import type { DayTable } from "./tables.ts";
import { toJobView, withDelivered } from "./views.ts";

/** Miners are counted up to here. */
const MINER_COUNT_BOUND = 100_000;
/** Characters of a date at the start of a time. */
const DATE_CHARACTERS = 10;

interface AdminDeps extends Pick<CoordinatorDeps, "store" | "clock" | "log" | "identityFile"> {
  readonly backlog: Backlog;
  readonly leases: Leases;
  readonly health: MinerHealth;
  /** The links of the miners that are online now. */
  readonly links: () => ReadonlyMap<string, MinerLink>;
  /** A job of a class is worth a search, or a miner is. */
  readonly nudgeClass: (requirementId: number) => void;
  readonly nudge: (link: MinerLink) => void;
}

/** What administrators see and do. Totals come from rows that each ending adds to: nothing is searched for. */
export class Admin {
  readonly #deps: AdminDeps;
  readonly #system: SystemProbe;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
    this.#system = new SystemProbe(dirname(dirname(deps.identityFile)));
  }

  /** Takes up what administrators and owners decided before a restart. */
  async start(): Promise<void> {
    const { store, health } = this.#deps;
    for (const minerId of await listDeactivated(store.db)) health.deactivate(minerId);
    for (const minerId of await listDrained(store.db)) health.setDrained(minerId, true);
  }

  async stats(): Promise<Stats> {
    const { backlog, leases, links, store } = this.#deps;
    const ended = await sumDays(store.db);
    const [queued, running] = [backlog.queued, leases.size];
    return {
      total_jobs: queued + running + ended.completed + ended.failed + ended.canceled + ended.expired,
      active_jobs: queued + running,
      online_miners: links().size,
      avg_miner_job_duration_ms: average(ended.busy_ms, ended.leases),
      queued_jobs: queued,
      running_jobs: running,
      completed_jobs: ended.completed,
      failed_jobs: ended.failed,
      canceled_jobs: ended.canceled,
      expired_jobs: ended.expired,
      units: ended.units,
      price_uait: String(ended.price_uait),
    };
  }

  async status(): Promise<Status> {
    const stats = await this.stats();
    const links = [...this.#deps.links().values()];
    const known = await countMiners(this.#deps.store.db, MINER_COUNT_BOUND);
    return {
      jobs: {
        total: stats.total_jobs,
        active: stats.active_jobs,
        completed: stats.completed_jobs,
        failed: stats.failed_jobs,
        queued: stats.queued_jobs,
        running: stats.running_jobs,
        canceled: stats.canceled_jobs,
        expired: stats.expired_jobs,
      },
      miners: {
        total: known,
        online: links.length,
        offline: Math.max(0, known - links.length),
        avg_job_duration_ms: stats.avg_miner_job_duration_ms,
        slots: links.reduce((sum, { profile }) => sum + profile.slots, 0),
        busy_slots: links.reduce((sum, link) => sum + link.leases.size, 0),
      },
      units: stats.units,
      system: await this.#system.read(),
      status: links.length === 0 && stats.queued_jobs > 0 ? "degraded" : "healthy",
    };
  }

  async jobs(query: JobListQuery & { client_id?: string | undefined }): Promise<AdminJobPage> {
    const { limit, offset } = query;
    const { rows, ...page } = await listJobs(this.#deps.store, query.client_id, query);
    return {
      items: rows.map((job) => ({
        ...toJobView(withDelivered(job, this.#deps.leases.find(job.job_id))),
        client_id: job.client_id,
      })),
      ...page,
      limit,
      offset,
    };
  }

  /** The owner of a job, for its administrator's view. @throws AppError JOB_NOT_FOUND */
  async clientOf(jobId: string): Promise<string> {
    const job = await findJob(this.#deps.store.db, jobId);
    if (!job) throw new AppError("JOB_NOT_FOUND", "job not found");
    return job.client_id;
  }

  /** Puts a waiting job first. @throws AppError JOB_NOT_FOUND, CONFLICT_STATE */
  async prioritize(jobId: string, reason: string): Promise<JobView> {
    const { store, log, nudgeClass } = this.#deps;
    const job = await findJob(store.db, jobId);
    if (!job) throw new AppError("JOB_NOT_FOUND", "job not found");
    if (!(await store.operation(raisePriority, jobId, MAX_PRIORITY))) {
      throw new AppError("CONFLICT_STATE", "only a job that waits has a priority to raise");
    }
    log.info({ job_id: jobId, reason }, "job put first by an administrator");
    nudgeClass(job.requirement_id);
    return toJobView({ ...job, priority: MAX_PRIORITY });
  }

  async miners(limit: number, offset: number): Promise<AdminMinerPage> {
    const { db } = this.#deps.store;
    const rows = await listMiners(db, offset, limit);
    const total = await countMiners(db, MINER_COUNT_BOUND);
    return { items: rows.map((row) => toAdminMiner(row, this.#deps)), total, limit, offset };
  }

  /** @throws AppError MINER_NOT_FOUND */
  async miner(minerId: string): Promise<AdminMiner> {
    const row = await findMiner(this.#deps.store.db, minerId);
    if (!row) throw new AppError("MINER_NOT_FOUND", "there is no miner with this id");
    return toAdminMiner(row, this.#deps);
  }

  /** Keeps a miner from new jobs, or gives it jobs again. @throws AppError MINER_NOT_FOUND */
  async setActive(minerId: string, active: boolean): Promise<AdminMiner> {
    const { store, clock, health, links, nudge, log } = this.#deps;
    const at = active ? null : clock.now();
    if (!(await store.operation(markDeactivated, minerId, at))) {
      throw new AppError("MINER_NOT_FOUND", "there is no miner with this id");
    }
    if (active) health.pardon(minerId);
    else health.deactivate(minerId);
    log.info({ miner_id: minerId, active }, "miner changed by an administrator");
    const link = links().get(minerId);
    if (active && link) nudge(link);
    return this.miner(minerId);
  }

  /** What ended on each of the last days, today included. */
  async analytics(days: number): Promise<Analytics> {
    const today = dayOf(this.#deps.clock.now());
    const rows = new Map(
      (await listDays(this.#deps.store.db, today - days + 1)).map((row) => [row.day, row] as const),
    );
    const items = Array.from({ length: days }, (_, index) => {
      const day = today - days + 1 + index;
      return toDay(day, rows.get(day));
    });
    return { days, items };
  }
}

function toDay(day: number, row: DayTable | undefined): Analytics["items"][number] {
  return {
    date: formatTime(startOfDay(day)).slice(0, DATE_CHARACTERS),
    completed: row?.completed ?? 0,
    failed: row?.failed ?? 0,
    canceled: row?.canceled ?? 0,
    expired: row?.expired ?? 0,
    units: row?.units ?? 0,
    price_uait: String(row?.price_uait ?? 0n),
    avg_job_duration_ms: average(row?.busy_ms ?? 0, row?.leases ?? 0),
  };
}
