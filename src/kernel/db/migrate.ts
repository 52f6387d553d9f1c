import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { AppError } from "../errors.ts";
import type { Database } from "./database.ts";
import { createOperationHandle, executeOn } from "./handle.ts";
import { strictTable } from "./schema.ts";

/** One forward step of the schema. */
export interface Migration {
  /** `<role>-<four digits>-<what>`, for example `coordinator-0001-jobs`; never changed once released. */
  readonly name: string;
  /**
   * Changes the schema. Awaits only SQL, and uses only what SQLite and PostgreSQL share. Runs the same statements
   * on every database, whatever rows it has: their hash tells whether a released migration was changed.
   */
  // A migration meets the schema of its time, which no current type describes.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  up(db: Kysely<any>): Promise<void>;
}

interface MigrationTables {
  /** `sha256` is null in rows of versions that recorded none. */
  kernel_migration: { position: number; name: string; sha256: string | null };
}

export interface MigrateOptions {
  /** The hash of each released migration, by name: of its statements, lower-case hex. */
  readonly released?: Readonly<Record<string, string>>;
  /** Called with the first pending migration of a database that has run others; a rejection stops the upgrade. */
  readonly beforeUpgrade?: (next: string) => Promise<void>;
}

const NAME = /^([a-z]+)-(\d{4})-[a-z0-9-]+$/;

/**
 * Brings the schema up to date and returns the names of the migrations that ran, in order. All of them run in
 * one operation: a failed upgrade leaves the database as it was. The list holds every role's migrations, also
 * of roles that do not run here. Errors: SCHEMA_NEWER when the database knows a migration that the list lacks;
 * SCHEMA_CHANGED when a released migration ran, or would run, other statements than it was released with.
 */
export async function migrate<Schema>(
  database: Pick<Database<Schema>, "operation">,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<readonly string[]> {
  assertList(migrations);
  const released = options.released ?? {};
  const executed = await database.operation((tx) => readExecuted(tx));
  for (const { name, sha256 } of executed) assertReleased(released, name, sha256);
  const names = executed.map(({ name }) => name);
  const pending = pendingMigrations(migrations, names);
  const [next] = pending;
  if (next !== undefined && names.length > 0) await options.beforeUpgrade?.(next.name);
  return database.operation(async (tx) => {
    // This table belongs to no role's schema.
    const db = tx as unknown as Kysely<MigrationTables>;
    let position = names.length;
    for (const migration of pending) {
      const sha256 = await runHashed(tx, migration);
      assertReleased(released, migration.name, sha256);
      position++;
      await db.insertInto("kernel_migration").values({ position, name: migration.name, sha256 }).execute();
    }
    return pending.map(({ name }) => name);
  });
}

/** The migrations that have run, in order; makes the table that names them if there is none. */
// Any schema: the table belongs to no role's.
// biome-ignore lint/suspicious/noExplicitAny: see above
async function readExecuted(tx: Kysely<any>) {
  const db: Kysely<MigrationTables> = tx;
  await strictTable(db, "kernel_migration")
    .ifNotExists()
    .addColumn("position", "integer", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("sha256", "text")
    .execute();
  const columns = await sql<{ name: string }>`select name from pragma_table_info('kernel_migration')`.execute(
    db,
  );
  if (!columns.rows.some(({ name }) => name === "sha256")) {
    await db.schema.alterTable("kernel_migration").addColumn("sha256", "text").execute();
  }
  return db.selectFrom("kernel_migration").select(["name", "sha256"]).orderBy("position").execute();
}

/** Runs a migration and returns the SHA-256 of its statements: of what reaches the database, not of its code. */
// biome-ignore lint/suspicious/noExplicitAny: a migration meets the schema of its time
async function runHashed(tx: Kysely<any>, migration: Migration): Promise<string> {
  const hash = createHash("sha256");
  const logging = createOperationHandle((query) => {
    hash.update(`${query.sql};\n`);
    const result = executeOn(tx, query);
    if (result instanceof Promise) throw new AppError("STORAGE_MISUSE", "a migration runs in an operation");
    return result;
  });
  await migration.up(logging);
  return hash.digest("hex");
}

function assertReleased(
  released: Readonly<Record<string, string>>,
  name: string,
  found: string | null,
): void {
  const expected = released[name];
  if (expected === undefined || found === null || found === expected) return;
  throw new AppError(
    "SCHEMA_CHANGED",
    `the migration "${name}" is not the one that was released (it has ${found.slice(0, 12)}…, not ${expected.slice(0, 12)}…): ` +
      "use a released version of aitbc, or restore a backup that one made",
    { meta: { migration: name } },
  );
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
