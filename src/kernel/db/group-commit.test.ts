import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { codeOf, freshDirectory, type NoteDatabase, openNotes } from "../../../test/harness/database.ts";

describe("group commit", () => {
  it("runs what is queued together in one transaction", async () => {
    const notes = await openNotes();
    const before = notes.stats().commits;
    await Promise.all(["a", "b", "c"].map((id) => notes.addNote(id)));
    expect(notes.stats().commits - before).toBe(1);
    expect(notes.committed()).toEqual(["a", "b", "c"]);
  });

  it("bounds a batch by count", async () => {
    const notes = await openNotes({ batch: { maxOperations: 2, maxMs: 1_000 } });
    const before = notes.stats().commits;
    await Promise.all(["a", "b", "c", "d", "e"].map((id) => notes.addNote(id)));
    expect(notes.stats().commits - before).toBe(3);
  });

  it("bounds a batch by time", async () => {
    const notes = await openNotes({ batch: { maxOperations: 100, maxMs: 0 } });
    const before = notes.stats().commits;
    await Promise.all(["a", "b", "c"].map((id) => notes.addNote(id)));
    expect(notes.stats().commits - before).toBe(3);
  });

  it("resolves a success only when another connection sees the row", async () => {
    const notes = await openNotes();
    const seen = await Promise.all(
      ["a", "b"].map((id) => notes.addNote(id).then(() => notes.committed().includes(id))),
    );
    expect(seen).toEqual([true, true]);
  });

  it("rejects a refusal that rests on a neighbour's row only after that row is committed", async () => {
    const notes = await openNotes();
    const neighbour = notes.addNote("taken");
    const refused = notes.operation(async (tx) => {
      const row = await tx.selectFrom("note").select("id").where("id", "=", "taken").executeTakeFirst();
      if (row !== undefined) throw new Error("refused");
    });
    const others = Array.from({ length: 20 }, (_, index) => notes.addNote(`z${index}`));
    const seen = await refused.then(
      () => ["not refused"],
      () => notes.committed(),
    );
    expect(seen).toContain("taken");
    await Promise.all([neighbour, ...others]);
  });

  it("undoes a failing operation alone", async () => {
    const notes = await openNotes();
    const failing = notes.operation(async (tx) => {
      await tx.insertInto("note").values({ id: "half", body: "" }).execute();
      throw new Error("no");
    });
    const results = await Promise.allSettled([notes.addNote("a"), failing, notes.addNote("b")]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(notes.committed()).toEqual(["a", "b"]);
  });

  it("runs the neighbours of a failing operation again, and every operation once where none fails", async () => {
    const notes = await openNotes();
    const runs: string[] = [];
    const add = (id: string, fails: boolean) =>
      notes.operation(async (tx) => {
        runs.push(id);
        await tx.insertInto("note").values({ id, body: "" }).execute();
        if (fails) throw new Error(id);
      });
    await Promise.allSettled([add("a", false), add("b", true), add("c", false), add("d", true)]);
    expect(runs).toEqual(["a", "b", "a", "b", "c", "d"]);
    expect(notes.committed()).toEqual(["a", "c"]);
    runs.length = 0;
    await Promise.all([add("e", false), add("f", false)]);
    expect(runs).toEqual(["e", "f"]);
  });

  it("fails an operation that swallows the error of a statement, as PostgreSQL would", async () => {
    const notes = await openNotes();
    await notes.addNote("a");
    const swallowing = notes.operation(async (tx) => {
      await tx.insertInto("note").values({ id: "b", body: "" }).execute();
      await tx
        .insertInto("note")
        .values({ id: "a", body: "" })
        .execute()
        .catch(() => {});
    });
    await expect(swallowing).rejects.toThrow("UNIQUE constraint failed");
    expect(notes.committed()).toEqual(["a"]);
  });

  it("waits for what is queued when it closes, and refuses what comes later", async () => {
    const notes = await openNotes();
    const last = notes.addNote("last");
    const closed = notes[Symbol.asyncDispose]();
    expect(await codeOf(notes.addNote("late"))).toBe("SHUTTING_DOWN");
    await Promise.all([last, closed]);
    expect(notes.committed()).toEqual(["last"]);
    expect(await codeOf(notes.db.selectFrom("note").selectAll().execute())).toBe("SHUTTING_DOWN");
  });

  it("refuses more than it can queue", async () => {
    const notes = await openNotes();
    const count = 16_384;
    const waiting = Array.from({ length: count }, () => notes.operation(async () => {}));
    expect(await codeOf(notes.operation(async () => {}))).toBe("LIMIT_EXCEEDED");
    await Promise.all(waiting);
  });
});

describe("a body that awaits something that is not SQL", () => {
  it("is rolled back and refused while its neighbours are committed", async () => {
    const notes = await openNotes();
    const leaked: Promise<unknown>[] = [];
    const other = Promise.withResolvers<void>();
    const resumed = Promise.withResolvers<void>();
    const waiting = notes.operation(async (tx) => {
      await tx.insertInto("note").values({ id: "half", body: "" }).execute();
      await other.promise;
      leaked.push(codeOf(tx.insertInto("note").values({ id: "ghost", body: "" }).execute()));
      resumed.resolve();
    });
    const outcomes = await Promise.all([notes.addNote("a"), waiting, notes.addNote("b")].map(codeOf));
    expect(outcomes).toEqual(["resolved", "STORAGE_MISUSE", "resolved"]);
    other.resolve();
    await resumed.promise;
    expect(await Promise.all(leaked)).toEqual(["STORAGE_MISUSE"]);
    await notes.addNote("c");
    expect(notes.committed()).toEqual(["a", "b", "c"]);
  });

  it("is found again in the same batch", async () => {
    const notes = await openNotes();
    const endless = (): Promise<void> => notes.operation(() => new Promise<void>(() => {}));
    const before = notes.stats().commits;
    const outcomes = await Promise.all([endless(), endless(), notes.addNote("a")].map(codeOf));
    expect(outcomes).toEqual(["STORAGE_MISUSE", "STORAGE_MISUSE", "resolved"]);
    expect(notes.stats().commits - before).toBe(1);
  });
});

describe("a storage failure", () => {
  const big = "x".repeat(1_000_000);

  it("on a full disk in the middle of a batch leaves the whole batch unknown and stops everything", async () => {
    const notes = await openNotes({ maxPageCount: 60 });
    await notes.addNote("before");
    const refused = notes.operation(() => Promise.reject(new Error("rests on a")));
    const batch = [notes.addNote("a"), refused, notes.addNote("full", big), notes.addNote("not run")];
    const [a, b, full, notRun] = await Promise.all(batch.map(codeOf));
    expect([a, b, full]).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(notRun).toBe("STORAGE_UNAVAILABLE");
    expect(await codeOf(notes.addNote("later"))).toBe("STORAGE_UNAVAILABLE");
    expect(notes.fatal.map(({ code }) => code)).toEqual(["STORAGE_UNAVAILABLE"]);
    expect(notes.fatal[0]?.cause).toMatchObject({ code: "SQLITE_FULL" });
    expect(notes.committed()).toEqual(["before"]);
  });

  it("that a body swallows is a failure all the same, and nothing runs in autocommit after it", async () => {
    const notes = await openNotes({ maxPageCount: 60 });
    const swallowing = notes.operation(async (tx) => {
      const insert = (id: string, body: string): Promise<unknown> =>
        tx
          .insertInto("note")
          .values({ id, body })
          .execute()
          .catch(() => {});
      await insert("full", big);
      await insert("stray", "");
    });
    expect(await codeOf(swallowing)).toBe("OUTCOME_UNKNOWN");
    expect(notes.committed()).toEqual([]);
  });

  /** A database whose table `coin` cannot be read. */
  async function damaged(): Promise<NoteDatabase> {
    const notes = await openNotes();
    await notes.operation((tx) =>
      tx.insertInto("coin").values({ id: "c", amount_uait: 1n, count: 1 }).execute(),
    );
    const page = notes.witness
      .prepare("select rootpage from sqlite_schema where name = 'coin'")
      .pluck()
      .get();
    // The last connection to close must be one that can move the WAL into the file.
    notes.witness.close();
    await notes[Symbol.asyncDispose]();
    const file = openSync(notes.path, "r+");
    writeSync(file, Buffer.alloc(4_096, 0xff), 0, 4_096, (Number(page) - 1) * 4_096);
    closeSync(file);
    return openNotes({ path: notes.path });
  }

  it("that leaves the transaction open, such as corruption, stops everything as well", async () => {
    const notes = await damaged();
    const before = notes.addNote("a");
    const touching = notes.operation((tx) => tx.selectFrom("coin").selectAll().execute());
    const outcomes = await Promise.all([before, touching, notes.addNote("b")].map(codeOf));
    expect(outcomes).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "STORAGE_UNAVAILABLE"]);
    expect(notes.fatal).toHaveLength(1);
    expect(notes.committed()).toEqual([]);
  });

  it("met by a read stops everything, and is told once", async () => {
    const notes = await damaged();
    const read = (): Promise<unknown> => notes.db.selectFrom("coin").selectAll().execute();
    await expect(read()).rejects.toThrow("malformed");
    await expect(read()).rejects.toThrow("malformed");
    expect(await codeOf(notes.addNote("a"))).toBe("STORAGE_UNAVAILABLE");
    expect(notes.fatal).toHaveLength(1);
  });

  it("at COMMIT leaves the whole batch unknown", () => {
    const path = `${freshDirectory()}/limited.db`;
    // The limit on the size of files lets the statements pass, which stay in the cache, and stops the WAL.
    const program = `
      import { openDatabase } from ${JSON.stringify(new URL("./database.ts", import.meta.url).href)};
      import { sql } from "kysely";
      const fatal = [];
      const path = process.argv[1];
      const batch = { maxOperations: 2, maxMs: 10_000 };
      const database = openDatabase({ path, batch, onFatal: (error) => fatal.push(error) });
      const add = (size) => database.operation(async (tx) => {
        await sql\`insert into note (body) values (\${"x".repeat(size)})\`.execute(tx);
        return "statement passed";
      }).catch((error) => error.code);
      await database.operation((tx) => sql\`create table note (body text) strict\`.execute(tx));
      const outcomes = await Promise.all([add(10), add(1_000_000), add(10)]);
      outcomes.push(await add(10));
      const cause = fatal[0].cause.code;
      console.log(JSON.stringify({ outcomes, fatal: fatal.map((error) => error.code), cause }));`;
    const limited = 'trap "" XFSZ; ulimit -f 512; exec "$@"';
    const node = [process.execPath, "--input-type=module", "--eval", program, path];
    const child = spawnSync("sh", ["-c", limited, "sh", ...node], { encoding: "utf8" });
    expect(child.stderr).toBe("");
    const { outcomes, fatal, cause } = JSON.parse(child.stdout);
    expect(outcomes).toEqual([
      "OUTCOME_UNKNOWN",
      "OUTCOME_UNKNOWN",
      "STORAGE_UNAVAILABLE",
      "STORAGE_UNAVAILABLE",
    ]);
    expect(fatal).toEqual(["STORAGE_UNAVAILABLE"]);
    expect(cause).toMatch(/^SQLITE_(IOERR_WRITE|FULL)/);
    const after = new Sqlite(path);
    expect(after.prepare("select count(*) from note").pluck().get()).toBe(0);
    expect(after.pragma("integrity_check", { simple: true })).toBe("ok");
    after.close();
  });

  it("at BEGIN, when another process writes, refuses what waits and goes on", async () => {
    const notes = await openNotes();
    const other = new Sqlite(notes.path);
    other.exec("begin immediate");
    expect(await codeOf(notes.addNote("a"))).toBe("STORAGE_UNAVAILABLE");
    other.exec("rollback");
    other.close();
    await notes.addNote("b");
    expect(notes.committed()).toEqual(["b"]);
    expect(notes.fatal).toEqual([]);
  });
});
