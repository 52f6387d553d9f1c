import type { Transaction } from "kysely";
import { describe, expect, it } from "vitest";
import { codeOf, type NoteTables, openNotes } from "../../../test/harness/database.ts";
import type { BatchBounds } from "./database.ts";
import { prepareRows } from "./prepared.ts";
import { bulk, defineProcedures, Procedures } from "./procedures.ts";

type Tx = Transaction<NoteTables>;
type Call = readonly [id: string];

const insertNotes = prepareRows<NoteTables, { id: string }>()((db, rows) =>
  db.insertInto("note").values(rows.map((p) => ({ id: p("id"), body: "" }))),
);

/** A database whose notes are added in bulk; `log` has what ran. */
async function openBulk(
  inBulk?: (tx: Tx, calls: readonly Call[]) => Promise<readonly string[]>,
  batch?: BatchBounds,
) {
  const log: string[] = [];
  async function add(tx: Tx, id: string): Promise<string> {
    log.push(id);
    await tx.insertInto("note").values({ id, body: "" }).execute();
    return `added ${id}`;
  }
  async function addAll(tx: Tx, calls: readonly Call[]): Promise<readonly string[]> {
    log.push(calls.map(([id]) => id).join("+"));
    await insertNotes.run(
      tx,
      calls.map(([id]) => ({ id })),
    );
    return calls.map(([id]) => `added ${id}`);
  }
  async function count(tx: Tx): Promise<number> {
    log.push("count");
    return (await tx.selectFrom("note").select("id").execute()).length;
  }
  const notes = await openNotes({ batch });
  const procedures = new Procedures();
  procedures.add("test", defineProcedures({ add: bulk(add, inBulk ?? addAll), count }));
  const start = (): never => {
    throw new Error("no thread here");
  };
  notes.useThread({ procedures, start, onRefused() {}, busyMs: Number.POSITIVE_INFINITY });
  return { notes, log, add: (id: string) => notes.operation(add, id), count: () => notes.operation(count) };
}

describe("calls of one procedure that wait together", () => {
  it("run once in its bulk form, in their order, and each has its own result", async () => {
    const { notes, log, add } = await openBulk();
    const before = notes.stats();
    expect(await Promise.all(["a", "b", "c"].map(add))).toEqual(["added a", "added b", "added c"]);
    expect(log).toEqual(["a+b+c"]);
    expect(notes.committed()).toEqual(["a", "b", "c"]);
    const { commits, operations } = notes.stats();
    expect([commits - before.commits, operations - before.operations]).toEqual([1, 3]);
  });

  it("never overtake another that came between them", async () => {
    const { log, add, count } = await openBulk();
    const results = await Promise.all([add("a"), add("b"), count(), add("c"), count(), add("d"), add("e")]);
    expect(log).toEqual(["a+b", "count", "c", "count", "d+e"]);
    expect(results).toEqual(["added a", "added b", 2, "added c", 3, "added d", "added e"]);
  });

  it("run each alone when they fail together, so that one refuses itself only", async () => {
    const { notes, log, add } = await openBulk();
    await add("b");
    log.length = 0;
    const results = await Promise.allSettled(["a", "b", "c"].map(add));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(log).toEqual(["a+b+c", "a", "b", "c"]);
    expect(notes.committed()).toEqual(["a", "b", "c"]);
  });

  it("run each alone when the bulk form has not a result for each", async () => {
    const { notes, log, add } = await openBulk(async () => ["one"]);
    expect(await Promise.all(["a", "b"].map(add))).toEqual(["added a", "added b"]);
    expect(log).toEqual(["a", "b"]);
    expect(notes.committed()).toEqual(["a", "b"]);
  });

  it("are all refused when the bulk form awaits what is not SQL, and nothing of them is written", async () => {
    const { notes, add } = await openBulk(async (tx, calls) => {
      await insertNotes.run(
        tx,
        calls.map(([id]) => ({ id })),
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [];
    });
    const codes = await Promise.all([codeOf(add("a")), codeOf(add("b"))]);
    expect(codes).toEqual(["STORAGE_MISUSE", "STORAGE_MISUSE"]);
    expect(notes.committed()).toEqual([]);
    expect(await add("c")).toBe("added c");
  });

  it("are no more than a batch may have, nor than 64", async () => {
    const ids = Array.from({ length: 100 }, (_, index) => String(index).padStart(3, "0"));
    const { notes, log, add } = await openBulk();
    await Promise.all(ids.map(add));
    expect(log.map((run) => run.split("+").length)).toEqual([64, 36]);
    expect(notes.committed()).toEqual(ids);
    const bounded = await openBulk(undefined, { maxOperations: 3, maxMs: 1_000 });
    await Promise.all(ids.slice(0, 8).map(bounded.add));
    expect(bounded.log.map((run) => run.split("+").length)).toEqual([3, 3, 2]);
  });
});

describe("a query prepared for rows", () => {
  const findNotes = prepareRows<NoteTables, { id: string }>()((db, rows) =>
    db
      .selectFrom("note")
      .select("id")
      .where(
        "id",
        "in",
        rows.map((p) => p("id")),
      ),
  );

  it.each([0, 1, 7, 8, 9, 20])("takes %i of them, whatever one statement takes", async (length) => {
    const { db, operation } = await openNotes();
    const rows = Array.from({ length }, (_, index) => ({ id: String(index).padStart(2, "0") }));
    expect(await operation((tx) => insertNotes.run(tx, rows))).toBe(length);
    expect((await findNotes.all(db, [...rows, { id: "none" }])).map(({ id }) => id).sort()).toEqual(
      rows.map(({ id }) => id),
    );
  });

  it("refuses a row without one of its parameters", async () => {
    const { operation } = await openNotes();
    // What a cast in the caller's code could do.
    const rows = [{ id: "a" }, {} as { id: string }];
    await expect(operation((tx) => insertNotes.run(tx, rows))).rejects.toThrow("needs the parameter id");
  });
});
