import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { codeOf, freshDirectory, NOTE_MIGRATION, openNotes } from "../../../test/harness/database.ts";
import { backupDatabase } from "./backup.ts";
import { type DataLock, lockDataDirectory } from "./lock.ts";
import { type RestoreOptions, restoreDatabase } from "./restore.ts";

interface Place {
  readonly directory: string;
  readonly path: string;
  readonly backup: string;
  readonly options: RestoreOptions;
}

/** A data directory, locked, and a backup that holds the notes `ids`. */
async function place(...ids: string[]): Promise<Place> {
  const source = await openNotes();
  for (const id of ids) await source.addNote(id, "x".repeat(5_000));
  const backup = join(freshDirectory(), "backup.db");
  await backupDatabase({ path: source.path, target: backup, overwrite: false, checks: [] });
  const directory = freshDirectory();
  const path = join(directory, "aitbc.db");
  const lock = lockDataDirectory(directory, { command: "test", now: 0 });
  onTestFinished(() => lock[Symbol.dispose]());
  const options = { backup, path, lock, knownMigrations: [NOTE_MIGRATION.name], checks: [] };
  return { directory, path, backup, options };
}

function noteIds(path: string): unknown[] {
  const raw = new Sqlite(path, { readonly: true });
  try {
    return raw.prepare("select id from note order by id").pluck().all();
  } finally {
    raw.close();
  }
}

/** Leaves a database with notes in its WAL, as a daemon does that was killed. */
async function crash(path: string): Promise<void> {
  const program = `
    import Sqlite from "better-sqlite3";
    const raw = new Sqlite(process.argv[1]);
    raw.pragma("journal_mode = WAL");
    raw.exec("create table note (id text); insert into note values ('old')");
    console.log("written");
    setInterval(() => {}, 1_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, path]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}

const partials = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.includes(".restore-"));

describe("restoreDatabase", () => {
  it("puts the backup into an empty directory", async () => {
    const { path, options } = await place("a", "b");
    expect(await restoreDatabase(options)).toEqual({ replaced: undefined });
    expect(noteIds(path)).toEqual(["a", "b"]);
  });

  it("keeps what was there, also what a killed process left in the WAL", async () => {
    const { directory, path, options } = await place("a");
    await crash(path);
    expect(existsSync(`${path}-wal`)).toBe(true);
    expect(await restoreDatabase(options)).toEqual({ replaced: `${path}.before-restore-1` });
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(noteIds(path)).toEqual(["a"]);
    expect(noteIds(`${path}.before-restore-1`)).toEqual(["old"]);
    expect(await restoreDatabase(options)).toEqual({ replaced: `${path}.before-restore-2` });
    expect(partials(directory)).toEqual([]);
  });

  it("removes the WAL of a database that is gone, which would be replayed into the new one", async () => {
    const { path, options } = await place("a");
    await crash(path);
    rmSync(path);
    await restoreDatabase(options);
    expect(noteIds(path)).toEqual(["a"]);
  });

  it("replaces a database that is damaged, and keeps its WAL with it", async () => {
    const { path, options } = await place("a");
    writeFileSync(path, "no database at all, but long enough to look at".repeat(100));
    writeFileSync(`${path}-wal`, "stale");
    const { replaced } = await restoreDatabase(options);
    expect(noteIds(path)).toEqual(["a"]);
    expect(existsSync(`${replaced}-wal`)).toBe(true);
  });

  it("refuses a damaged backup and touches nothing", async () => {
    const { directory, path, backup, options } = await place("a", "b", "c");
    await crash(path);
    const before = readdirSync(directory);
    const file = openSync(backup, "r+");
    writeSync(file, Buffer.alloc(4_096, 0xff), 0, 4_096, statSync(backup).size - 4_096);
    closeSync(file);
    expect(await codeOf(restoreDatabase(options))).toBe("BACKUP_INVALID");
    writeFileSync(backup, "something else");
    expect(await codeOf(restoreDatabase(options))).toBe("BACKUP_INVALID");
    expect(readdirSync(directory)).toEqual(before);
    expect(noteIds(path)).toEqual(["old"]);
  });

  it("refuses what a check finds, and a database of another program", async () => {
    const { path, backup, options } = await place("a");
    const failing = restoreDatabase({ ...options, checks: [async () => ["money is missing"]] });
    await expect(failing).rejects.toThrow("money is missing");
    const raw = new Sqlite(backup);
    raw.exec("drop table kernel_migration");
    raw.close();
    await expect(restoreDatabase(options)).rejects.toThrow("no database of this program");
    expect(existsSync(path)).toBe(false);
  });

  it("refuses a backup of a newer version", async () => {
    const { path, options } = await place("a");
    expect(await codeOf(restoreDatabase({ ...options, knownMigrations: [] }))).toBe("SCHEMA_NEWER");
    expect(existsSync(path)).toBe(false);
  });

  it("refuses a copy of a running database, and a backup that is not there", async () => {
    const { backup, options } = await place("a");
    const source = await openNotes();
    await source.addNote("only in the WAL");
    copyFileSync(source.path, backup);
    copyFileSync(`${source.path}-wal`, `${backup}-wal`);
    await expect(restoreDatabase(options)).rejects.toThrow("is a database in use");
    expect(await codeOf(restoreDatabase({ ...options, backup: `${backup}.none` }))).toBe("BACKUP_INVALID");
  });

  it("needs the lock of the directory", async () => {
    const { options } = await place("a");
    const elsewhere = lockDataDirectory(freshDirectory(), { command: "test", now: 0 });
    onTestFinished(() => elsewhere[Symbol.dispose]());
    expect(await codeOf(restoreDatabase({ ...options, lock: elsewhere }))).toBe("STORAGE_MISUSE");
    const released: DataLock = options.lock;
    released[Symbol.dispose]();
    expect(await codeOf(restoreDatabase(options))).toBe("STORAGE_MISUSE");
  });
});
