import type Sqlite from "better-sqlite3";
import type { QueryResult } from "kysely";
import { GenerationCache } from "./generation-cache.ts";
import type { RawDatabase } from "./sqlite.ts";
import { bindValues, createConverter, hasAmounts } from "./values.ts";

/** Statements kept compiled, by SQL text, in each of the cache's two generations. */
const MAX_STATEMENTS = 256;
const SCHEMA_CHANGE = /^\s*(create|alter|drop)\b/i;

interface Entry {
  readonly statement: Sqlite.Statement<unknown[], Record<string, unknown>>;
  readonly convert: ((row: Record<string, unknown>) => void) | undefined;
  readonly changesSchema: boolean;
}

/** Throws when a connection must not run a statement. Called once for each compiled statement. */
export type StatementRule = (sql: string, statement: { reader: boolean; readonly: boolean }) => void;

/** Compiles, keeps and runs the statements of one connection. */
export class Statements {
  readonly #raw: RawDatabase;
  readonly #rule: StatementRule;
  readonly #cache = new GenerationCache<Entry>(MAX_STATEMENTS);

  constructor(raw: RawDatabase, rule: StatementRule) {
    this.#raw = raw;
    this.#rule = rule;
  }

  /** Runs one statement to its end. Errors: STORAGE_MISUSE, and SQLite's own. */
  execute(sql: string, parameters: readonly unknown[]): QueryResult<Record<string, unknown>> {
    const { statement, convert, changesSchema } = this.#cache.get(sql) ?? this.#prepare(sql);
    const bound = bindValues(parameters);
    if (convert === undefined) {
      const { changes } = statement.run(...bound);
      if (changesSchema) this.#cache.clear();
      return { rows: [], numAffectedRows: BigInt(changes) };
    }
    const rows = statement.all(...bound);
    for (const row of rows) convert(row);
    return statement.readonly ? { rows } : { rows, numAffectedRows: BigInt(rows.length) };
  }

  #prepare(sql: string): Entry {
    const statement = this.#raw.prepare<unknown[], Record<string, unknown>>(sql);
    this.#rule(sql, statement);
    const entry: Entry = {
      statement,
      convert: statement.reader ? converterOf(statement) : undefined,
      changesSchema: SCHEMA_CHANGE.test(sql),
    };
    if (!entry.changesSchema) this.#cache.set(sql, entry);
    return entry;
  }
}

function converterOf(statement: Sqlite.Statement<unknown[], Record<string, unknown>>): Entry["convert"] {
  const columns = statement.columns().map((column) => column.name);
  // Reading each integer as bigint costs time, so only statements that return amounts do.
  if (hasAmounts(columns)) statement.safeIntegers(true);
  return createConverter(columns);
}
