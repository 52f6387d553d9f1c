import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/**
 * Starts a table in which each value has its column's type: STRICT on SQLite, as PostgreSQL always is.
 * Columns are `text`, `integer` (64 bits on both) or `blob`; a boolean is an integer 0 or 1.
 */
export function strictTable<Table extends string>(
  // A migration meets the schema of its time, which no current type describes.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  db: Kysely<any>,
  name: Table,
): CreateTableBuilder<Table> {
  const table = db.schema.createTable(name);
  return db.getExecutor().adapter instanceof SqliteAdapter ? table.modifyEnd(sql`strict`) : table;
}
