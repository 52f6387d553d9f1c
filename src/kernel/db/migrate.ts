import type { Kysely } from "kysely";
import { AppError } from "../errors.ts";
import type { Database } from "./database.ts";
import { strictTable } from "./schema.ts";

/** One forward step of the schema. */
export interface Migration {
  /** `<role>-<four digits>-<what>`, for example `coordinator-0001-jobs`; never changed once released. */
  readonly name: string;
  /** Changes the schema. Awaits only SQL, and uses only what SQLite and PostgreSQL share. */
  // A migration meets the schema of its time, which no current type describes.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  up(db: Kysely<any>): Promise<void>;
}

interface MigrationTables {
  kernel_migration: { position: number; name: string };
}

const NAME = /^([a-z]+)-(\d{4})-[a-z0-9-]+$/;

/**
 * Brings the schema up to date and returns the names of the migrations that ran, in order. All of them run in
 * one operation: a failed upgrade leaves the database as it was. The list holds every role's migrations, also
 * of roles that do not run here. Errors: SCHEMA_NEWER when the database knows a migration that the list lacks.
 */
export async function migrate<Schema>(
  database: Pick<Database<Schema>, "operation">,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  assertList(migrations);
  return database.operation(async (tx) => {
    // This table belongs to no role's schema.
    const db = tx as unknown as Kysely<MigrationTables>;
    await strictTable(db, "kernel_migration")
      .ifNotExists()
      .addColumn("position", "integer", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull().unique())
      .execute();
    const rows = await db.selectFrom("kernel_migration").select("name").orderBy("position").execute();
    const executed = rows.map((row) => row.name);
    const pending = pendingMigrations(migrations, executed);
    let position = executed.length;
    for (const migration of pending) {
      await migration.up(tx);
      position++;
      await db.insertInto("kernel_migration").values({ position, name: migration.name }).execute();
    }
    return pending.map((migration) => migration.name);
  });
}

/**
 * The migrations still to run. Errors: SCHEMA_NEWER when one was executed that is not known here;
 * STORAGE_MISUSE when a new one stands before an executed one of its role.
 */
function pendingMigrations(known: readonly Migration[], executed: readonly string[]): readonly Migration[] {
  assertNotNewer(
    known.map((migration) => migration.name),
    executed,
  );
  const done = new Set(executed);
  const waiting = new Map<string, string>();
  for (const { name } of known) {
    const role = roleOf(name);
    const skipped = waiting.get(role);
    if (!done.has(name)) waiting.set(role, skipped ?? name);
    else if (skipped !== undefined) {
      throw new AppError("STORAGE_MISUSE", `the migration ${skipped} stands before ${name}, which has run`);
    }
  }
  return known.filter((migration) => !done.has(migration.name));
}

/** Throws SCHEMA_NEWER when a migration was executed that is not known here. */
export function assertNotNewer(known: readonly string[], executed: readonly string[]): void {
  const names = new Set(known);
  const newer = executed.find((name) => !names.has(name));
  if (newer === undefined) return;
  throw new AppError(
    "SCHEMA_NEWER",
    `the database has the migration "${newer}", which this version does not know: ` +
      "run the newer version again, or restore a backup that this version made",
    { meta: { migration: newer } },
  );
}

function roleOf(name: string): string {
  return NAME.exec(name)?.[1] ?? "";
}

/** Names are well formed, and rise within each role. */
function assertList(migrations: readonly Migration[]): void {
  const last = new Map<string, string>();
  for (const { name } of migrations) {
    const role = roleOf(name);
    if (role === "" || name <= (last.get(role) ?? "")) {
      throw new AppError("STORAGE_MISUSE", `the migration ${name} is misnamed or out of order`);
    }
    last.set(role, name);
  }
}
