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

/** What a connection may run. Each check throws, and is made once for each compiled statement. */
export interface StatementRule {
  /** Before compiling: some pragmas take effect while they are compiled. */
  checkText(sql: string): void;
  checkCompiled?(sql: string, statement: { readonly: boolean }): void;
}

/** Compiles, keeps and runs the statements of one connection. */
export class Statements {
  readonly #raw: RawDatabase;
  readonly #rule: StatementRule;
  readonly #onSchemaChange: () => void;
  readonly #cache = new GenerationCache<Entry>(MAX_STATEMENTS);

  /** `onSchemaChange` is called after a statement that changed a table. */
  constructor(raw: RawDatabase, rule: StatementRule, onSchemaChange: () => void = () => {}) {
    this.#raw = raw;
    this.#rule = rule;
    this.#onSchemaChange = onSchemaChange;
  }

  /** Forgets all compiled statements, and what the connection knows of a schema that has changed. */
  clear(): void {
    this.#cache.clear();
    // Compiling alone trusts the schema that the connection last saw; a read looks at the file.
    this.#raw.prepare("select count(*) from sqlite_schema").get();
  }

  /** Runs one statement to its end. Errors: STORAGE_MISUSE, and SQLite's own. */
  execute(sql: string, parameters: readonly unknown[]): QueryResult<Record<string, unknown>> {
    const { statement, convert, changesSchema } = this.#cache.get(sql) ?? this.#prepare(sql);
    const bound = bindValues(parameters);
    if (convert === undefined) {
      const { changes } = statement.run(...bound);
      if (changesSchema) {
        this.clear();
        this.#onSchemaChange();
      }
      return { rows: [], numAffectedRows: BigInt(changes) };
    }
    const rows = statement.all(...bound);
    for (const row of rows) convert(row);
    return statement.readonly ? { rows } : { rows, numAffectedRows: BigInt(rows.length) };
  }

  #prepare(sql: string): Entry {
    this.#rule.checkText(sql);
    const statement = this.#raw.prepare<unknown[], Record<string, unknown>>(sql);
    this.#rule.checkCompiled?.(sql, statement);
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
