/**
 * Adds new migrations to src/app/migrations.lock.json. A migration that stands there already was released: when
 * its statements differ it is refused, with and without `--check`. One that no version has shipped yet may be
 * changed after its line is removed by hand.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { MIGRATIONS, RELEASED_MIGRATIONS } from "../src/app/migrations.ts";
import { openDatabase } from "../src/kernel/db/database.ts";
import { migrate } from "../src/kernel/db/migrate.ts";
import { writeOrCheck } from "./lib/generated.ts";

const folder = mkdtempSync(join(tmpdir(), "aitbc-lock-"));
try {
  await using database = openDatabase<object>({
    path: join(folder, "m.db"),
    onFatal: (error) => {
      throw error;
    },
  });
  await migrate(database, MIGRATIONS, { released: RELEASED_MIGRATIONS });
  const { rows } = await sql<{ name: string; sha256: string }>`
    select name, sha256 from kernel_migration order by name`.execute(database.db);
  const missing = Object.keys(RELEASED_MIGRATIONS).filter((name) => !rows.some((row) => row.name === name));
  if (missing.length > 0) throw new Error(`released migrations are gone: ${missing.join(", ")}`);
  const lock = Object.fromEntries(rows.map(({ name, sha256 }) => [name, sha256]));
  writeOrCheck("src/app/migrations.lock.json", `${JSON.stringify(lock, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
