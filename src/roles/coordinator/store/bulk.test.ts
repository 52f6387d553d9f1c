import { describe, expect, it } from "vitest";
import {
  type CoordinatorStore,
  newJob,
  openCoordinatorStore,
} from "../../../../test/harness/coordinator-store.ts";
import { grantLeases, type LeaseGrant } from "./claims.ts";
import { type EndingRows, endLeases } from "./endings.ts";
import type { Db } from "./handle.ts";
import { indexKeys, type TakenKey } from "./idempotency.ts";
import type { QueuePlace } from "./jobs.ts";
import { upsertMiner } from "./miners.ts";
import { storeFlushes } from "./portions.ts";
import { storeSubmissions, storeTakenSubmissions } from "./submissions.ts";

const NOW = 1_795_300_000_000;
const DAY_MS = 86_400_000;
const idOf = (n: number): string => n.toString(16).padStart(32, "0");
const jobOf = (n: number) => ({ ...newJob(idOf(n)), requested_at: NOW, expires_at: NOW + 60_000 });
const placeOf = (n: number): QueuePlace => ({ client_number: n % 3, order_key: n * 10 });
const slotOf = (n: number): string => String.fromCharCode(n).repeat(16);

const keyOf = (seq: number, slot: string, n: number): TakenKey => {
  return { seq, slot, body_sha256: "body", job_id: idOf(n), priority: 1, created_at: NOW };
};

const grantOf = (n: number, token: number, model: string | null = null): LeaseGrant => ({
  job_id: idOf(n),
  token,
  miner_id: `miner-${n % 2}`,
  instance: "test",
  now: NOW + n,
  model,
  segment: { start_byte: 0, terms: "{}", decision: null },
});

const endingOf = (n: number, token: number, change: Partial<EndingRows> = {}): EndingRows => {
  const share = { ran_ms: n, units: 10 * n, price_uait: BigInt(n) };
  const receipt_id = `receipt-${n}-${token}`;
  return {
    job: {
      job_id: idOf(n),
      token,
      state: "COMPLETED",
      delivered_bytes: 4,
      last_seq: 1,
      settled_units: share.units,
      completed_at: NOW + 100,
      finish_reason: "stop",
      usage: null,
      error: null,
      ran_ms: share.ran_ms,
      price_uait: share.price_uait,
    },
    portion: {
      job_id: idOf(n),
      token,
      chunks: [{ seq: 1, start_byte: 0, text: `t-${n}` }],
      progress: n % 2 === 0 ? `{"n":${n}}` : null,
    },
    answer: n % 3 === 0 ? { sha256: "s", document: "{}" } : undefined,
    segment: { end_byte: 4, ended_at: NOW + 100, outcome: "completed", receipt_id },
    receipt: {
      receipt_id,
      job_id: idOf(n),
      token,
      hash: `hash-${n}-${token}`,
      start_byte: 0,
      end_byte: 4,
      units: share.units,
      price_uait: share.price_uait,
      document: "{}",
      issued_at: NOW,
    },
    again: undefined,
    totals: {
      miner: { miner_id: `miner-${n % 2}`, completed: 1, failed: 0, canceled: 0, receipt_id, ...share },
      // The calls end on two days.
      day: { at: NOW + (n % 2) * DAY_MS, state: "COMPLETED", lease: share },
    },
    ...change,
  };
};

const TABLES = ["job", "queue", "segment", "chunk", "receipt", "answer", "day", "idempotency_key"] as const;

/** Every committed row of the coordinator. */
const dump = ({ witness }: CoordinatorStore) =>
  [...TABLES, "miner" as const].map((table) => witness.prepare(`select * from coordinator_${table}`).all());

/** Runs calls alone, each in an operation of its own, and together in another database; both must come to the same. */
async function compare<Call, Result>(
  calls: readonly Call[],
  together: (tx: Db, calls: readonly Call[]) => Promise<readonly Result[]>,
  prepare: (store: CoordinatorStore) => Promise<unknown>,
): Promise<{ readonly store: CoordinatorStore; readonly results: readonly Result[] }> {
  const [alone, store] = [await openCoordinatorStore(), await openCoordinatorStore()];
  for (const each of [alone, store]) {
    for (const miner_id of ["miner-0", "miner-1"]) {
      await each.operation(upsertMiner, {
        miner_id,
        public_key: "",
        key_id: "",
        name: "",
        region: null,
        payout: null,
        registered_at: NOW,
        last_seen_at: NOW,
      });
    }
    await prepare(each);
  }
  const expected: Result[] = [];
  for (const call of calls) expected.push(...(await alone.operation(together, [call])));
  const results = await store.operation(together, calls);
  expect(results).toEqual(expected);
  expect(dump(store)).toEqual(dump(alone));
  return { store, results };
}

const queue = (store: CoordinatorStore, numbers: readonly number[]) =>
  store.operation(
    storeSubmissions,
    numbers.map((n) => [jobOf(n), placeOf(n), undefined] as const),
  );

/** Numbers from 1 on: more than one statement takes. */
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("calls that run together come to what they come to alone", () => {
  it("as submissions: keys that are free, held, forgotten, and none", async () => {
    const HELD = 900;
    const calls = numbers(21).map((n) => {
      const key = n % 5 === 0 ? undefined : keyOf(1_000 + n, slotOf(n), n);
      return [jobOf(n), placeOf(n), key] as const;
    });
    const { store, results } = await compare(calls, storeSubmissions, async (each) => {
      await each.operation(storeSubmissions, [[jobOf(HELD), placeOf(HELD), keyOf(1, slotOf(3), HELD)]]);
      // A slot whose key is gone is free.
      await each.operation(
        indexKeys,
        [
          { slot: slotOf(3), seq: 1 },
          { slot: slotOf(7), seq: 2 },
        ],
        3,
      );
    });
    expect(results.map((holder) => holder?.job.job_id)).toEqual(
      calls.map((_, index) => (index === 2 ? idOf(HELD) : undefined)),
    );
    const stored = store.witness.prepare("select job_id from coordinator_job order by job_id").pluck().all();
    expect(stored).toEqual([...numbers(21).filter((n) => n !== 3), HELD].map(idOf));
    const taken = store.witness
      .prepare("select job_id from coordinator_idempotency_key order by seq")
      .pluck();
    expect(taken.all()).toEqual([HELD, ...numbers(21).filter((n) => n !== 3 && n % 5 !== 0)].map(idOf));
  });

  it("as submissions whose jobs run at once, as if they had waited and been claimed", async () => {
    const calls = numbers(11).map((n) => {
      const model = n === 4 ? "chosen" : null;
      return [{ ...jobOf(n), model: n === 4 ? null : "test" }, grantOf(n, 1, model), undefined] as const;
    });
    const { store } = await compare(calls, storeTakenSubmissions, async () => {});
    const claimed = await openCoordinatorStore();
    await claimed.operation(
      storeSubmissions,
      calls.map(([job]) => [job, placeOf(0), undefined] as const),
    );
    await claimed.operation(
      grantLeases,
      calls.map(([, grant]) => [grant] as const),
    );
    for (const table of ["job", "segment", "queue"]) {
      const rows = ({ witness }: CoordinatorStore) =>
        witness.prepare(`select * from coordinator_${table} order by job_id`).all();
      expect(rows(store)).toEqual(rows(claimed));
    }
  });

  it("as claims: of a job that waits, that is gone, under a stale token, and twice of one", async () => {
    const calls = [...numbers(12), 77, 2].map((n) => [grantOf(n, n === 5 ? 2 : 1)] as const);
    const { results } = await compare(calls, grantLeases, (each) => queue(each, numbers(12)));
    expect(results.map((granted) => granted?.place.job_id)).toEqual(
      [...numbers(12), 77, 2].map((n, index) => (n === 5 || n === 77 || index === 13 ? undefined : idOf(n))),
    );
  });

  it("as ends: that hold or not, with and without answer and receipt, taken back, and to be tried again", async () => {
    const calls = numbers(14).map((n) => {
      if (n === 6) return [endingOf(n, 9)] as const;
      if (n === 7) return [endingOf(n, 1, { totals: undefined, receipt: undefined })] as const;
      if (n === 8) {
        const again = {
          job: { job_id: idOf(n), requirement_id: 1, priority: 1 },
          place: { requirement_id: 1, ...placeOf(n) },
          wake_at: NOW + 5_000,
        };
        return [endingOf(n, 1, { again })] as const;
      }
      return [endingOf(n, 1)] as const;
    });
    const { results } = await compare([...calls, ...calls.slice(0, 1)], endLeases, async (each) => {
      await queue(each, numbers(14));
      await each.operation(
        grantLeases,
        numbers(14).map((n) => [grantOf(n, 1)] as const),
      );
    });
    expect(results).toEqual([...numbers(14).map((n) => n !== 6), false]);
  });

  it("as flushes: a lost lease refuses its own portions only, and each flush hears of its own", async () => {
    const portionOf = (n: number, seq: number, token = 1) => ({
      job_id: idOf(n),
      token,
      chunks: [{ seq, start_byte: seq, text: `${n}-${seq}` }],
      progress: `{"seq":${seq}}`,
    });
    const calls = [
      [[portionOf(1, 1), portionOf(2, 1, 7)]],
      [[portionOf(1, 2)]],
      [[]],
      [[portionOf(3, 1), portionOf(4, 1), portionOf(99, 1)]],
    ] as const;
    const { store, results } = await compare<(typeof calls)[number], boolean[]>(
      calls,
      storeFlushes,
      async (each) => {
        await queue(each, numbers(4));
        await each.operation(
          grantLeases,
          numbers(4).map((n) => [grantOf(n, 1)] as const),
        );
      },
    );
    expect(results).toEqual([[true, false], [true], [], [true, true, false]]);
    const texts = store.witness.prepare("select text from coordinator_chunk order by job_id, seq").pluck();
    expect(texts.all()).toEqual(["1-1", "1-2", "3-1", "4-1"]);
  });
});
