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
  return isSqlite(db) ? table.modifyEnd(sql`strict`) : table;
}

/**
 * Starts a table whose rows lie in its primary key's order instead of beside an index: for small rows, which
 * are then found and changed in one place instead of two. PostgreSQL has no such tables and needs none.
 */
export function clusteredTable<Table extends string>(
  // biome-ignore lint/suspicious/noExplicitAny: as above
  db: Kysely<any>,
  name: Table,
): CreateTableBuilder<Table> {
  const table = db.schema.createTable(name);
  return isSqlite(db) ? table.modifyEnd(sql`strict, without rowid`) : table;
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function isSqlite(db: Kysely<any>): boolean {
  return db.getExecutor().adapter instanceof SqliteAdapter;
}
