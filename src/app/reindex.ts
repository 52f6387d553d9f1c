import { type QueryExecutorProvider, sql } from "kysely";
import type { RunOperation } from "../kernel/db/database.ts";

/** Rows of a table whose indexes are built anew while the daemon runs: more would hold all writes up. */
const MAX_REINDEX_ROWS = 50_000;

/** The store as `reindex` uses it, whatever tables it has. */
interface Store {
  readonly db: QueryExecutorProvider;
  readonly operation: RunOperation<QueryExecutorProvider>;
}

/** Builds the indexes of all tables anew that are not too large, one table at a time. */
export async function reindex(store: Store): Promise<{ tables: string[]; skipped: string[] }> {
  const names = await sql<{ name: string }>`
    select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by name`.execute(
    store.db,
  );
  const tables: string[] = [];
  const skipped: string[] = [];
  for (const { name } of names.rows) {
    const bounded = sql<{ count: number }>`
      select count(*) as count from (select 1 from ${sql.table(name)} limit ${MAX_REINDEX_ROWS + 1}) as bounded`;
    const count = (await bounded.execute(store.db)).rows[0]?.count ?? 0;
    if (count > MAX_REINDEX_ROWS) {
      skipped.push(name);
      continue;
    }
    await store.operation(reindexTable, name);
    tables.push(name);
  }
  return { tables, skipped };
}

/** Builds the indexes of a table anew. */
export async function reindexTable(tx: QueryExecutorProvider, name: string): Promise<void> {
  await sql`reindex ${sql.table(name)}`.execute(tx);
}
