import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { onTestFinished } from "vitest";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/kernel/db/database.ts";
import { type Migration, migrate } from "../../src/kernel/db/migrate.ts";
import { strictTable } from "../../src/kernel/db/schema.ts";
import { AppError, type ErrorCode } from "../../src/kernel/errors.ts";

/** A fresh directory that goes away with the test. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "aitbc-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Tables small enough to read a test at a glance. */
export interface NoteTables {
  note: { id: string; body: string | null };
  coin: { id: string; amount_uait: bigint; count: number };
}

export const NOTE_MIGRATION: Migration = {
  name: "test-0001-notes",
  async up(db) {
    await strictTable(db, "note")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("body", "text")
      .execute();
    await strictTable(db, "coin")
      .addColumn("id", "text", (column) => column.primaryKey().notNull())
      .addColumn("amount_uait", "integer", (column) => column.notNull())
      .addColumn("count", "integer", (column) => column.notNull())
      .execute();
  },
};

export interface NoteDatabase extends Database<NoteTables> {
  readonly path: string;
  /** Every error that `onFatal` was called with. */
  readonly fatal: readonly AppError[];
  /** A second connection, which sees only what is committed. */
  readonly witness: Sqlite.Database;
  addNote(id: string, body?: string): Promise<void>;
  /** Ids of the committed notes, in order, as the witness sees them now. */
  committed(): string[];
}

/** A real database with the tables above, closed and removed with the test. */
export async function openNotes(options: Partial<DatabaseOptions> = {}): Promise<NoteDatabase> {
  const path = options.path ?? join(freshDirectory(), "notes.db");
  const fatal: AppError[] = [];
  const database = openDatabase<NoteTables>({ ...options, path, onFatal: (error) => fatal.push(error) });
  onTestFinished(() => database[Symbol.asyncDispose]());
  await migrate(database, [NOTE_MIGRATION]);
  const witness = new Sqlite(path, { readonly: true });
  onTestFinished(() => void witness.close());
  const ids = witness.prepare<[], string>("select id from note order by id").pluck();
  return {
    ...database,
    path,
    fatal,
    witness,
    addNote: (id, body = "") =>
      database.operation(async (tx) => {
        await tx.insertInto("note").values({ id, body }).execute();
      }),
    committed: () => ids.all(),
  };
}

/** The code of the AppError that a promise rejects with; `resolved` if it does not reject. */
export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | "resolved"> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}
