import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { codeOf, openNotes } from "../../../test/harness/database.ts";
import {
  addCoin,
  addFirstNote,
  addNote,
  crash,
  createNoteProcedures,
  dawdle,
  listNotes,
} from "../../../test/harness/note-procedures.ts";
import type { DatabaseOptions, StoreThread } from "./database.ts";

const THREAD = new URL("../../../test/harness/note-thread.ts", import.meta.url);
const startThread = (job: StoreThread): Worker => new Worker(THREAD, { workerData: job });
const LogState = z.object({ log: z.int() });
const BIG = "x".repeat(1_000_000);

/** A database whose writer moves at the first commit. */
async function openThreaded(
  options: Partial<DatabaseOptions> = {},
  start = startThread,
  onRefused = (_error: unknown): void => {},
) {
  const notes = await openNotes(options);
  const refused: unknown[] = [];
  const known = Promise.withResolvers<void>();
  notes.useThread({
    procedures: createNoteProcedures(),
    start,
    onRefused(error) {
      refused.push(error);
      known.resolve();
      onRefused(error);
    },
    onMoved: () => known.resolve(),
    busyMs: 0,
  });
  await notes.operation(listNotes);
  await known.promise;
  return { ...notes, refused };
}

describe("a writer in a thread of its own", () => {
  it("takes over while operations come, loses none and keeps their order", async () => {
    const notes = await openNotes();
    notes.useThread({
      procedures: createNoteProcedures(),
      start: startThread,
      onRefused() {},
      busyMs: 0,
    });
    const outcomes: Promise<void>[] = [];
    for (let id = 0; !notes.stats().isThreaded || id % 100 !== 0; id++) {
      outcomes.push(notes.operation(addNote, String(id).padStart(6, "0"), ""));
      if (id % 5 === 0) await new Promise(setImmediate);
    }
    const last = notes.operation(listNotes);
    await Promise.all(outcomes);
    expect(notes.committed()).toHaveLength(outcomes.length);
    expect(await last).toEqual(notes.committed());
    expect(notes.fatal).toEqual([]);
  });

  it("resolves only when another connection sees the row", async () => {
    const notes = await openThreaded();
    await notes.operation(addNote, "a", "");
    expect(notes.committed()).toEqual(["a"]);
    expect(await notes.db.selectFrom("note").select("id").execute()).toEqual([{ id: "a" }]);
  });

  it("brings arguments, results and errors across as they are", async () => {
    const notes = await openThreaded();
    const coin = { id: "c", amount_uait: 2n ** 60n, count: 3 };
    expect(await notes.operation(addCoin, coin)).toEqual(coin);
    await notes.operation(addNote, "a", "");
    await expect(notes.operation(addFirstNote, "b")).rejects.toMatchObject({
      name: "AppError",
      code: "CONFLICT_STATE",
      message: "there is a",
      meta: { id: "a" },
    });
    // Of SQLite's own errors the words are kept.
    await expect(notes.operation(addNote, "a", "")).rejects.toThrow("UNIQUE constraint failed: note.id");
  });

  it("undoes a failing operation alone, and commits its neighbours together", async () => {
    const notes = await openThreaded();
    await notes.operation(addNote, "a", "");
    const before = notes.stats().commits;
    const outcomes = await Promise.allSettled([
      notes.operation(addNote, "b", ""),
      notes.operation(addNote, "a", "again"),
      notes.operation(addNote, "c", ""),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(notes.committed()).toEqual(["a", "b", "c"]);
    expect(notes.stats().commits - before).toBe(1);
  });

  it("refuses a body that is no procedure, before and after the move", async () => {
    const notes = await openNotes();
    notes.useThread({
      procedures: createNoteProcedures(),
      start: startThread,
      onRefused() {},
      busyMs: 1000,
    });
    expect(await codeOf(notes.addNote("a"))).toBe("STORAGE_MISUSE");
    const threaded = await openThreaded();
    expect(await codeOf(threaded.addNote("a"))).toBe("STORAGE_MISUSE");
  });

  it("refuses arguments that are not data, and a body that awaits something else than SQL", async () => {
    const notes = await openThreaded();
    // What no compiler would let through.
    const id = (() => "a") as unknown as string;
    expect(await codeOf(notes.operation(addNote, id, ""))).toBe("STORAGE_MISUSE");
    expect(await codeOf(notes.operation(dawdle))).toBe("STORAGE_MISUSE");
    await notes.operation(addNote, "b", "");
    expect(notes.committed()).toEqual(["b"]);
  });

  it("runs what waits when it closes, refuses what comes later, and leaves no log behind", async () => {
    const notes = await openThreaded();
    const waiting = notes.operation(addNote, "a", "");
    notes.witness.close();
    const closed = notes[Symbol.asyncDispose]();
    expect(await codeOf(notes.operation(addNote, "b", ""))).toBe("SHUTTING_DOWN");
    await Promise.all([waiting, closed]);
    expect(existsSync(`${notes.path}-wal`)).toBe(false);
  });

  it("stops everything on a full disk: unknown is what ran, unavailable what did not", async () => {
    const notes = await openThreaded({ maxPageCount: 60 });
    await notes.operation(addNote, "before", "");
    const batch = [
      notes.operation(addNote, "a", ""),
      notes.operation(addNote, "full", BIG),
      notes.operation(addNote, "not run", ""),
    ];
    expect(await Promise.all(batch.map(codeOf))).toEqual([
      "OUTCOME_UNKNOWN",
      "OUTCOME_UNKNOWN",
      "STORAGE_UNAVAILABLE",
    ]);
    expect(await codeOf(notes.operation(addNote, "later", ""))).toBe("STORAGE_UNAVAILABLE");
    expect(notes.fatal.map(({ code }) => code)).toEqual(["STORAGE_UNAVAILABLE"]);
    expect(notes.fatal[0]?.message).toBe("the storage failed");
    expect(notes.committed()).toEqual(["before"]);
  });

  it("that dies leaves what was sent unknown, and stops everything", async () => {
    const notes = await openThreaded();
    const outcomes = [notes.operation(crash), notes.operation(addNote, "a", "")];
    expect(await Promise.all(outcomes.map(codeOf))).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(notes.fatal).toHaveLength(1);
    expect(await codeOf(notes.operation(addNote, "later", ""))).toBe("STORAGE_UNAVAILABLE");
  });

  it("that cannot be started leaves the operations where they are", async () => {
    const notes = await openThreaded({}, () => new Worker(new URL("./no-such-thread.ts", import.meta.url)));
    await notes.operation(addNote, "a", "");
    expect(notes.committed()).toEqual(["a"]);
    expect(notes.stats().isThreaded).toBe(false);
    expect(notes.refused).toHaveLength(1);
    expect(notes.fatal).toEqual([]);
  });

  it("has its log brought into the file beside it, and begins it anew", async () => {
    const notes = await openThreaded();
    for (let note = 0; note < 80; note++) await notes.operation(addNote, `big ${note}`, BIG);
    const pages = (): number =>
      z.tuple([LogState]).parse(notes.witness.pragma("wal_checkpoint(NOOP)"))[0].log;
    expect(pages()).toBeGreaterThan(16_000);
    // It goes on meanwhile; what it adds is little, so that the rest is soon small enough for itself.
    let note = 0;
    while (pages() > 16_000) await notes.operation(addNote, `small ${note++}`, "");
    expect(notes.committed()).toHaveLength(80 + note);
    expect(notes.fatal).toEqual([]);
  }, 30_000);

  it.each([
    ["does not load", () => new Worker(new URL("./no-such-thread.ts", import.meta.url))],
    [
      "cannot be started",
      () => {
        throw new Error("no room for another thread");
      },
    ],
  ])(
    "goes on alone when the thread for that %s",
    async (_how, startBroken: () => Worker) => {
      const broken = Promise.withResolvers<unknown>();
      const notes = await openThreaded(
        {},
        (job) => (job === "writer" ? startThread(job) : startBroken()),
        broken.resolve,
      );
      for (let note = 0; note < 80; note++) await notes.operation(addNote, `big ${note}`, BIG);
      await broken.promise;
      await notes.operation(addNote, "later", "");
      expect(notes.committed()).toHaveLength(81);
      expect(notes.refused).toHaveLength(1);
      expect(notes.fatal).toEqual([]);
    },
    30_000,
  );
});
