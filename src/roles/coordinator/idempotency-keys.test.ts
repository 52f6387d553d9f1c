import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Kysely, sql } from "kysely";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type CoordinatorStore,
  openCoordinatorStore,
  queueJob,
} from "../../../test/harness/coordinator-store.ts";
import { freshDirectory } from "../../../test/harness/database.ts";
import { fromLatin1, toLatin1 } from "../../crypto/bytes.ts";
import { type Database, openDatabase } from "../../kernel/db/database.ts";
import { migrate } from "../../kernel/db/migrate.ts";
import { IdempotencyKeys } from "./idempotency-keys.ts";
import { type CoordinatorTables, coordinator } from "./index.ts";
import { type Holder, type Slot, type TakenKey, takeIdempotencyKeys } from "./store/idempotency.ts";

const JOB = "0".repeat(32);
const HOUR_MS = 3_600_000;

const newSlot = (): Slot => toLatin1(randomBytes(16));
const keyOf = (slot: Slot, created_at = Date.now()): Omit<TakenKey, "seq"> => ({
  slot,
  body_sha256: "body",
  job_id: JOB,
  priority: 1,
  created_at,
});

/** Keys over a database with one job, which all of them belong to. */
async function openKeys() {
  const store = await openCoordinatorStore();
  await queueJob(store, JOB);
  return { store, keys: await loadKeys(store) };
}

async function loadKeys(store: Database<CoordinatorTables>): Promise<IdempotencyKeys> {
  const keys = new IdempotencyKeys(store);
  await keys.load();
  return keys;
}

const takeOne = async (tx: Kysely<CoordinatorTables>, key: TakenKey): Promise<Holder | undefined> =>
  (await takeIdempotencyKeys(tx, [key]))[0];

/** Takes a key as a submission does; what holds it. */
const take = (
  store: Database<CoordinatorTables>,
  keys: IdempotencyKeys,
  slot: Slot,
  created_at?: number,
): Promise<Holder | undefined> => keys.take(keyOf(slot, created_at), (key) => store.operation(takeOne, key));

async function takeMany(
  store: CoordinatorStore,
  keys: IdempotencyKeys,
  count: number,
  created_at?: number,
): Promise<Slot[]> {
  const slots = Array.from({ length: count }, newSlot);
  const holders = await Promise.all(slots.map((slot) => take(store, keys, slot, created_at)));
  expect(holders.every((holder) => holder === undefined)).toBe(true);
  return slots;
}

const count = (store: CoordinatorStore, table: "key" | "slot"): number =>
  Number(store.witness.prepare(`select count(*) from coordinator_idempotency_${table}`).pluck().get());

describe("an Idempotency-Key that is taken", () => {
  it("is known to every later process, wherever its index had got to", async () => {
    const { store, keys } = await openKeys();
    // So many that parts went to the index, and most did not.
    const slots = await takeMany(store, keys, 3_000);
    // What was begun is through when one more operation is.
    await store.operation(async () => {});
    const indexed = count(store, "slot");
    expect(indexed).toBeGreaterThan(0);
    expect(indexed).toBeLessThan(1_000);
    const later = await loadKeys(store);
    for (const slot of slots) {
      expect(await later.isTaken(slot)).toBe(true);
      expect(await take(store, later, slot)).toMatchObject({ body_sha256: "body", job: { job_id: JOB } });
    }
    expect(count(store, "key")).toBe(slots.length);
    expect(await later.isTaken(newSlot())).toBe(false);
  });

  it("is found in the index alone, once it was tidied up", async () => {
    const { store, keys } = await openKeys();
    const slots = await takeMany(store, keys, 3_000);
    await keys.tidy(Date.now() - HOUR_MS, 0);
    expect(count(store, "slot")).toBe(slots.length);
    const mark = store.witness.prepare("select indexed_below from coordinator_idempotency_mark").pluck();
    expect(mark.get()).toBe(slots.length + 1);
    for (const of of [keys, await loadKeys(store)]) {
      for (const slot of slots.slice(0, 100)) expect(await take(store, of, slot)).toBeDefined();
    }
  });

  it("is not passed over by the index while it is being stored", async () => {
    const { store, keys } = await openKeys();
    const slot = newSlot();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const storing = keys.take(keyOf(slot), async (key) => {
      await gate;
      return await store.operation(takeOne, key);
    });
    await takeMany(store, keys, 1_000);
    await keys.tidy(0, 0);
    open();
    expect(await storing).toBeUndefined();
    expect(await take(store, await loadKeys(store), slot)).toBeDefined();
  });

  it("is free again when it was not stored, for a caller that waited too", async () => {
    const { store, keys } = await openKeys();
    const slot = newSlot();
    const failing = keys.take(keyOf(slot), () => Promise.reject(new Error("full disk")));
    const waiting = take(store, keys, slot);
    const third = take(store, keys, slot);
    await expect(failing).rejects.toThrow("full disk");
    expect(await waiting).toBeUndefined();
    expect(await third).toMatchObject({ job: { job_id: JOB } });
    expect(count(store, "key")).toBe(1);
  });

  it("is forgotten with its time, and its slot is cleared away later", async () => {
    const { store, keys } = await openKeys();
    const now = Date.now();
    const old = await takeMany(store, keys, 2_500, now - 2 * HOUR_MS);
    const kept = await takeMany(store, keys, 200);
    await keys.tidy(now - 3 * HOUR_MS, 0);
    expect(count(store, "slot")).toBe(2_700);
    // Less than an hour after the last time that the index was cleared.
    await keys.tidy(now - HOUR_MS, HOUR_MS - 1);
    expect([count(store, "key"), count(store, "slot")]).toEqual([200, 2_700]);
    expect(await keys.isTaken(old[0] ?? "")).toBe(false);
    expect(await take(store, keys, old[0] ?? "", now)).toBeUndefined();
    expect(await take(store, keys, old[0] ?? "", now)).toBeDefined();
    await keys.tidy(now - HOUR_MS, HOUR_MS);
    expect([count(store, "key"), count(store, "slot")]).toEqual([201, 201]);
    for (const slot of [...kept, old[0] ?? ""]) expect(await take(store, keys, slot)).toBeDefined();
  });

  it("that is the last of all is cleared away too, and its number is not given out again", async () => {
    const { store, keys } = await openKeys();
    const slot = newSlot();
    await take(store, keys, slot, 1);
    await keys.tidy(2, 0);
    expect([count(store, "key"), count(store, "slot")]).toEqual([0, 0]);
    const later = await loadKeys(store);
    await take(store, later, newSlot());
    expect(store.witness.prepare("select seq from coordinator_idempotency_key").pluck().get()).toBe(2);
  });

  it("is still taken after the upgrade to an index that follows", async () => {
    const database = openDatabase<CoordinatorTables>({
      path: join(freshDirectory(), "old.db"),
      onFatal(error) {
        throw error;
      },
    });
    onTestFinished(() => database[Symbol.asyncDispose]());
    await migrate(database, coordinator.migrations.slice(0, 5));
    const slots = [newSlot(), newSlot(), newSlot()];
    await queueJob(database, JOB);
    await database.operation(async (tx) => {
      for (const slot of slots) {
        await sql`insert into coordinator_idempotency (slot, body_sha256, job_id, priority, created_at)
          values (${fromLatin1(slot)}, 'body', ${JOB}, 1, ${Date.now()})`.execute(tx);
      }
    });
    await migrate(database, coordinator.migrations);
    const keys = await loadKeys(database);
    for (const slot of slots) {
      expect(await take(database, keys, slot)).toMatchObject({ body_sha256: "body", job: { job_id: JOB } });
    }
    expect(await take(database, keys, newSlot())).toBeUndefined();
  });

  it("is free once it was forgotten, though this process still knew of it", async () => {
    const { store, keys } = await openKeys();
    const slot = newSlot();
    await take(store, keys, slot);
    await store.operation(async (tx) => {
      await tx.deleteFrom("coordinator_idempotency_key").execute();
    });
    expect(await take(store, keys, slot)).toBeUndefined();
    expect(await take(store, keys, slot)).toBeDefined();
  });
});
