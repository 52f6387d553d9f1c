import { AsyncResource } from "node:async_hooks";
import { statSync } from "node:fs";
import { type Kysely, sql } from "kysely";
import { describe, expect, it } from "vitest";
import { codeOf, type NoteTables, openNotes } from "../../../test/harness/database.ts";

describe("the handle outside operations", () => {
  it("reads committed rows", async () => {
    const { db, addNote } = await openNotes();
    await addNote("a", "text");
    expect(await db.selectFrom("note").selectAll().execute()).toEqual([{ id: "a", body: "text" }]);
  });

  it.each([
    ["an insert", (db: Kysely<NoteTables>) => db.insertInto("note").values({ id: "x", body: "" }).execute()],
    [
      "a returning update",
      (db: Kysely<NoteTables>) => sql`update note set body = '' returning id`.execute(db),
    ],
    ["a new table", (db: Kysely<NoteTables>) => db.schema.createTable("t").addColumn("a", "text").execute()],
    ["begin", (db: Kysely<NoteTables>) => sql`begin`.execute(db)],
    ["a transaction", (db: Kysely<NoteTables>) => db.transaction().execute(async () => {})],
    ["a stream", (db: Kysely<NoteTables>) => db.selectFrom("note").selectAll().stream().next()],
    ["closing", (db: Kysely<NoteTables>) => db.destroy()],
  ])("refuses %s", async (_name, act) => {
    const { db, committed } = await openNotes();
    expect(await codeOf(act(db))).toBe("STORAGE_MISUSE");
    expect(committed()).toEqual([]);
  });

  it("does not wait for an open batch, and does not see what it has not committed", async () => {
    const { db, operation } = await openNotes();
    const readOutside = AsyncResource.bind(() => db.selectFrom("note").select("id").execute());
    const during = await operation(async (tx) => {
      await tx.insertInto("note").values({ id: "a", body: "" }).execute();
      return readOutside();
    });
    expect(during).toEqual([]);
    expect(await readOutside()).toEqual([{ id: "a" }]);
  });
});

describe("inside an operation", () => {
  it("another operation throws at once", async () => {
    const { operation, addNote, committed } = await openNotes();
    expect(await codeOf(operation(() => addNote("inner")))).toBe("STORAGE_MISUSE");
    expect(committed()).toEqual([]);
  });

  it("the outer handle throws at once", async () => {
    const { operation, db } = await openNotes();
    const reading = operation(() => db.selectFrom("note").selectAll().execute());
    expect(await codeOf(reading)).toBe("STORAGE_MISUSE");
  });

  it("a handle of an operation that has ended throws", async () => {
    const { operation } = await openNotes();
    const leaked = await operation(async (tx) => ({ tx }));
    expect(await codeOf(leaked.tx.selectFrom("note").selectAll().execute())).toBe("STORAGE_MISUSE");
  });

  it("work that outlives the body is outside again", async () => {
    const { operation, addNote, committed } = await openNotes();
    const { promise, resolve } = Promise.withResolvers<void>();
    await operation(async () => void setImmediate(() => resolve(addNote("after"))));
    await promise;
    expect(committed()).toEqual(["after"]);
  });

  it.each([
    "commit",
    "rollback",
    "savepoint s",
    "pragma synchronous = OFF",
    "attach ':memory:' as other",
    "insert or rollback into note (id) values ('a')",
    "create table late (id text references note (id) deferrable initially deferred) strict",
  ])("refuses: %s", async (statement) => {
    const { operation, addNote, committed } = await openNotes();
    const outcomes = await Promise.all(
      [addNote("neighbour"), operation((tx) => sql.raw(statement).execute(tx))].map(codeOf),
    );
    expect(outcomes).toEqual(["resolved", "STORAGE_MISUSE"]);
    expect(committed()).toEqual(["neighbour"]);
  });

  it("an exception before the first await is a refusal like any other", async () => {
    const { operation } = await openNotes();
    const throwing = operation(() => {
      throw new Error("early");
    });
    await expect(throwing).rejects.toThrow("early");
  });
});

describe("values", () => {
  it("reads amounts as bigint with every digit, other integers as numbers", async () => {
    const { db, operation } = await openNotes();
    const coin = { id: "a", amount_uait: 2n ** 61n + 1n, count: 7 };
    await operation((tx) => tx.insertInto("coin").values(coin).execute());
    expect(await db.selectFrom("coin").selectAll().execute()).toEqual([coin]);
    expect(await db.selectFrom("coin").select("count").execute()).toEqual([{ count: 7 }]);
  });

  it("throws instead of losing digits", async () => {
    const { db } = await openNotes();
    expect(await codeOf(sql`select 9007199254740993 as count`.execute(db))).toBe("STORAGE_MISUSE");
    const mixed = sql`select 9007199254740993 as count, 1 as a_uait`.execute(db);
    expect(await codeOf(mixed)).toBe("STORAGE_MISUSE");
    const overflown = sql`select ${2n ** 62n} + ${2n ** 62n} as total_uait`.execute(db);
    expect(await codeOf(overflown)).toBe("STORAGE_MISUSE");
  });

  it("binds integers as integers and booleans as 0 and 1", async () => {
    const { db } = await openNotes();
    const { rows } = await sql`select ${7} / 2 as half, ${true} as yes, typeof(${1.5}) as type`.execute(db);
    expect(rows).toEqual([{ half: 3, yes: 1, type: "real" }]);
  });

  it.each([
    ["undefined", undefined],
    ["an object", { a: 1 }],
    ["a number past 2^53", 2 ** 53],
  ])("refuses %s", async (_name, value) => {
    const { db } = await openNotes();
    expect(await codeOf(sql`select ${value} as x`.execute(db))).toBe("STORAGE_MISUSE");
  });

  it("keeps bytes", async () => {
    const { db } = await openNotes();
    const { rows } = await sql<{ x: Buffer }>`select ${new Uint8Array([0, 255])} as x`.execute(db);
    expect([...(rows[0]?.x ?? [])]).toEqual([0, 255]);
  });
});

describe("the file", () => {
  it("can be read by its owner only", async () => {
    const { path } = await openNotes();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  });

  it("sees a changed schema through statements compiled before", async () => {
    const { db, operation, addNote } = await openNotes();
    await addNote("a");
    const read = (): Promise<unknown> => db.selectFrom("note").selectAll().execute();
    await read();
    await operation((tx) => tx.schema.alterTable("note").addColumn("paid_uait", "integer").execute());
    await operation((tx) => sql`update note set paid_uait = 5`.execute(tx));
    expect(await read()).toEqual([{ id: "a", body: "", paid_uait: 5n }]);
  });

  it("reports each commit", async () => {
    const reports: { operations: number; commitMs: number }[] = [];
    const { addNote } = await openNotes({ onBatch: (report) => reports.push(report) });
    reports.length = 0;
    await Promise.all([addNote("a"), addNote("b")]);
    expect(reports).toHaveLength(1);
    expect(reports[0]?.operations).toBe(2);
    expect(reports[0]?.commitMs).toBeGreaterThan(0);
  });
});
