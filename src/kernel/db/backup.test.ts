import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import type { Kysely } from "kysely";
import { describe, expect, it } from "vitest";
import {
  codeOf,
  freshDirectory,
  type NoteDatabase,
  type NoteTables,
  openNotes,
} from "../../../test/harness/database.ts";
import { backupDatabase } from "./backup.ts";

/** Some thousand pages, so that a copy takes several steps. */
async function fill(notes: NoteDatabase): Promise<void> {
  await Promise.all(
    Array.from({ length: 64 }, (_, index) => notes.addNote(`fill-${index}`, "x".repeat(200_000))),
  );
}

/** Each operation adds a coin with its note: a copy that tears an operation has more of one. */
const pairs = async (copy: Kysely<NoteTables>): Promise<readonly string[]> => {
  const notes = await copy.selectFrom("note").select("id").where("id", "like", "pair-%").execute();
  const coins = await copy.selectFrom("coin").select("id").execute();
  return notes.length === coins.length ? [] : [`${notes.length} notes, ${coins.length} coins`];
};

describe("backupDatabase", () => {
  it("copies one moment while others write, as a single private file", async () => {
    const notes = await openNotes();
    await fill(notes);
    let writing = true;
    let written = 0;
    const writer = (async () => {
      while (writing) {
        const id = `pair-${written++}`;
        await notes.operation(async (tx) => {
          await tx.insertInto("note").values({ id, body: "" }).execute();
          await tx.insertInto("coin").values({ id, amount_uait: 1n, count: 1 }).execute();
        });
      }
    })();
    const target = join(freshDirectory(), "copy.db");
    const { sizeBytes } = await backupDatabase({
      path: notes.path,
      target,
      overwrite: false,
      checks: [pairs],
    });
    writing = false;
    await writer;
    expect(sizeBytes).toBe(statSync(target).size);
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(target))).toEqual(["copy.db"]);
    const copy = new Sqlite(target, { readonly: true });
    expect(copy.prepare("select count(*) from note where id like 'fill-%'").pluck().get()).toBe(64);
    expect(copy.prepare("select count(*) from coin").pluck().get()).toBeLessThan(written);
    copy.close();
  });

  it("holds what was committed before it began, although it still lies in the WAL", async () => {
    const notes = await openNotes();
    await notes.addNote("a");
    const target = join(freshDirectory(), "copy.db");
    await backupDatabase({ path: notes.path, target, overwrite: false, checks: [] });
    const copy = new Sqlite(target, { readonly: true });
    expect(copy.prepare("select id from note").pluck().all()).toEqual(["a"]);
    copy.close();
  });

  it("overwrites only when told so", async () => {
    const notes = await openNotes();
    const target = join(freshDirectory(), "copy.db");
    writeFileSync(target, "precious");
    const backup = { path: notes.path, target, checks: [] };
    expect(await codeOf(backupDatabase({ ...backup, overwrite: false }))).toBe("INVALID_ARGUMENT");
    expect(readFileSync(target, "utf8")).toBe("precious");
    await backupDatabase({ ...backup, overwrite: true });
    expect(readFileSync(target, "latin1")).toMatch(/^SQLite format 3/);
  });

  it("leaves nothing when a check finds something", async () => {
    const notes = await openNotes();
    const target = join(freshDirectory(), "copy.db");
    const backup = backupDatabase({
      path: notes.path,
      target,
      overwrite: false,
      checks: [async () => ["money is missing"]],
    });
    await expect(backup).rejects.toThrow("money is missing");
    expect(readdirSync(dirname(target))).toEqual([]);
  });

  it("finds damage of the source", async () => {
    const notes = await openNotes();
    await notes.addNote("a");
    await notes[Symbol.asyncDispose]();
    const raw = new Sqlite(notes.path);
    raw.exec(
      "create table child (id integer references parent (id)); create table parent (id integer primary key)",
    );
    raw.pragma("foreign_keys = OFF");
    raw.exec("insert into child values (1)");
    raw.close();
    const target = join(freshDirectory(), "copy.db");
    const backup = backupDatabase({ path: notes.path, target, overwrite: false, checks: [] });
    await expect(backup).rejects.toThrow("a row of child refers to a row that is not there");
    expect(existsSync(target)).toBe(false);
  });

  it("says so when there is nothing to copy or nowhere to put it", async () => {
    const notes = await openNotes();
    const directory = freshDirectory();
    const missing = backupDatabase({
      path: join(directory, "none.db"),
      target: join(directory, "copy.db"),
      overwrite: false,
      checks: [],
    });
    expect(await codeOf(missing)).toBe("STORAGE_UNAVAILABLE");
    const target = join(directory, "no", "copy.db");
    const nowhere = backupDatabase({ path: notes.path, target, overwrite: false, checks: [] });
    expect(await codeOf(nowhere)).toBe("DATA_UNWRITABLE");
    expect(readdirSync(directory)).toEqual([]);
  });
});
