import type { Clock } from "../../kernel/clock.ts";
import type { Principal } from "../../wire/access.ts";
import type { MinerEarnings, MinerJobs } from "../../wire/miner-accounts.ts";
import { formatTime } from "../../wire/scalars.ts";
import { findOwnMiner } from "./miner-accounts.ts";
import type { Store } from "./ports.ts";
import { findSegment } from "./store/delivery.ts";
import { listEarnings } from "./store/earnings.ts";
import { listMinerJobs } from "./store/miners.ts";
import { startOfDay } from "./store/totals.ts";

/** Days of a miner's earnings that are listed one by one. */
const HISTORY_DAYS = 31;
const UAIT_PER_AIT = 1_000_000;
/** Characters of a date at the start of a time. */
const DATE_CHARACTERS = 10;

const toAit = (uait: bigint): number => Number(uait) / UAIT_PER_AIT;

/** What miners ran and earned here, for whoever holds the API key that admitted them, and for administrators. */
export class MinerHistory {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(options: { store: Store; clock: Clock }) {
    this.#store = options.store;
    this.#clock = options.clock;
  }

  /** The miner that had a lease of a job. */
  async minerOf(jobId: string, token: number): Promise<string | undefined> {
    return (await findSegment(this.#store.db, jobId, token))?.miner_id;
  }

  /** @throws AppError MINER_NOT_FOUND */
  async jobs(
    principal: Principal,
    id: string,
    page: { readonly limit: number; readonly offset: number },
  ): Promise<MinerJobs> {
    const { miner_id } = await findOwnMiner(this.#store.db, principal, id);
    const { items, total } = await listMinerJobs(this.#store.db, miner_id, page);
    const jobs = items.map((lease) => ({
      job_id: lease.job_id,
      lease_token: lease.token,
      kind: lease.kind,
      model: lease.model,
      state: (lease.outcome ?? "running").toUpperCase(),
      started_at: formatTime(lease.started_at),
      completed_at: lease.ended_at === null ? null : formatTime(lease.ended_at),
      units: lease.units ?? 0,
      price_uait: String(lease.price_uait ?? 0),
      receipt_id: lease.receipt_id,
    }));
    return { jobs, total, ...page, miner_id: id };
  }

  /** Nothing is paid out before a settlement on the chain, so all of it is pending. @throws AppError MINER_NOT_FOUND */
  async earnings(principal: Principal, id: string): Promise<MinerEarnings> {
    const miner = await findOwnMiner(this.#store.db, principal, id);
    const now = this.#clock.now();
    const days = await listEarnings(this.#store.db, miner.miner_id, now, HISTORY_DAYS);
    const total = BigInt(miner.earned_uait);
    return {
      miner_id: id,
      total_earnings: toAit(total),
      pending_earnings: toAit(total),
      total_earnings_uait: String(total),
      pending_earnings_uait: String(total),
      completed_jobs: miner.jobs_completed,
      currency: "AITBC",
      from_time: formatTime(miner.registered_at),
      to_time: formatTime(now),
      earnings_history: days.map(({ day, jobs, amount_uait }) => ({
        date: formatTime(startOfDay(day)).slice(0, DATE_CHARACTERS),
        amount: toAit(amount_uait),
        amount_uait: String(amount_uait),
        jobs,
      })),
    };
  }
}
