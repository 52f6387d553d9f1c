import { describe, expect, it } from "vitest";
import { codeOf, type NoteTables, openNotes } from "../../../test/harness/database.ts";
import { prepare } from "./prepared.ts";

let built = 0;
const addCoin = prepare<NoteTables, { id: string; amount: bigint }>()((db, p) => {
  built++;
  return db.insertInto("coin").values({ id: p("id"), amount_uait: p("amount"), count: 1 });
});
const findCoin = prepare<NoteTables, { id: string }>()((db, p) =>
  db.selectFrom("coin").selectAll().where("id", "=", p("id")),
);
const spend = prepare<NoteTables, { id: string; amount: bigint }>()((db, p) =>
  db
    .updateTable("coin")
    .set((eb) => ({ amount_uait: eb("amount_uait", "-", p("amount")) }))
    .where("id", "=", p("id"))
    .where("amount_uait", ">=", p("amount"))
    .returning("amount_uait"),
);
const listCoins = prepare<NoteTables, { count: number }>()((db, p) =>
  db.selectFrom("coin").select("id").orderBy("id").limit(p("count")),
);

describe("a prepared query", () => {
  it("is built once and run with parameters on any handle", async () => {
    const { db, operation } = await openNotes();
    const changed = await operation(async (tx) => {
      const first = await addCoin.run(tx, { id: "a", amount: 2n ** 60n });
      return first + (await addCoin.run(tx, { id: "b", amount: 5n }));
    });
    expect(changed).toBe(2);
    expect(built).toBe(1);
    const row = await findCoin.first(db, { id: "a" });
    expect(row).toEqual({ id: "a", amount_uait: 2n ** 60n, count: 1 });
    expect(await findCoin.first(db, { id: "none" })).toBeUndefined();
    expect(await listCoins.all(db, { count: 1 })).toEqual([{ id: "a" }]);
  });

  it("uses a parameter as often as the query names it, and returns rows of a write", async () => {
    const { operation } = await openNotes();
    await operation((tx) => addCoin.run(tx, { id: "a", amount: 5n }));
    const spent = await operation((tx) => spend.all(tx, { id: "a", amount: 3n }));
    expect(spent).toEqual([{ amount_uait: 2n }]);
    expect(await operation((tx) => spend.run(tx, { id: "a", amount: 3n }))).toBe(0);
    expect(await operation((tx) => spend.run(tx, { id: "a", amount: 2n }))).toBe(1);
  });

  it("is a write outside an operation like any other", async () => {
    const { db } = await openNotes();
    expect(await codeOf(addCoin.run(db, { id: "a", amount: 1n }))).toBe("STORAGE_MISUSE");
  });

  it("refuses a parameter that is missing", async () => {
    const { db } = await openNotes();
    // What a cast in the caller's code could do.
    const missing = {} as { id: string };
    await expect(findCoin.first(db, missing)).rejects.toThrow("needs the parameter id");
  });
});
