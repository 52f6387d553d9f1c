import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  Kysely,
  type KyselyProps,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  Transaction,
} from "kysely";
import { AppError } from "../errors.ts";

/** Runs one compiled query to its end, or throws. */
export type Execute = (query: CompiledQuery) => QueryResult<unknown>;

const misuse = (detail: string): AppError => new AppError("STORAGE_MISUSE", detail);

const refuseTransaction = (): Promise<never> =>
  Promise.reject(misuse("transactions are made by operation(), never by a handle"));

/** Kysely asks a driver for transactions and shutdown only; queries go through the executor. */
const driver: Driver = {
  init: () => Promise.resolve(),
  acquireConnection: () => Promise.reject(misuse("a handle has no connection of its own")),
  beginTransaction: refuseTransaction,
  commitTransaction: refuseTransaction,
  rollbackTransaction: refuseTransaction,
  releaseConnection: () => Promise.resolve(),
  destroy: () => Promise.reject(misuse("the database is closed by its owner")),
};

const dialect: Dialect = {
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => driver,
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
};
const adapter = dialect.createAdapter();
const compiler = dialect.createQueryCompiler();
const config = { dialect };

/** A connection as Kysely sees it, over a synchronous function. */
class HandleConnection implements DatabaseConnection {
  readonly execute: Execute;

  constructor(execute: Execute) {
    this.execute = execute;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    // The builder that made the query knows the type of its rows; the database cannot.
    return this.execute(query) as QueryResult<R>;
  }

  // biome-ignore lint/correctness/useYield: it only refuses
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw misuse("an open cursor keeps the WAL from being reset; read a page at a time");
  }
}

/** Runs queries without Kysely's pool, mutex and logging, which cost more than the statement itself. */
class DirectExecutor extends DefaultQueryExecutor {
  readonly #connection: HandleConnection;

  constructor(connection: HandleConnection) {
    super(compiler, adapter, { provideConnection: (consumer) => consumer(connection) });
    this.#connection = connection;
  }

  executeNow<R>(query: CompiledQuery): QueryResult<R> {
    // The builder that made the query knows the type of its rows; the database cannot.
    return this.#connection.execute(query) as QueryResult<R>;
  }

  override executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#connection.executeQuery<R>(query);
  }
}

/**
 * Runs a query on a handle, on ours without the two promises that Kysely puts around it: with thousands of short
 * statements a second they count. Throws, or rejects, as the handle itself does.
 */
export function executeOn<R>(
  // Any schema: the query was compiled for the handle's own.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  db: Kysely<any>,
  query: CompiledQuery<R>,
): QueryResult<R> | Promise<QueryResult<R>> {
  const executor = db.getExecutor();
  return executor instanceof DirectExecutor ? executor.executeNow(query) : executor.executeQuery<R>(query);
}

function props(execute: Execute): KyselyProps {
  return { config, driver, dialect, executor: new DirectExecutor(new HandleConnection(execute)) };
}

/** A Kysely handle outside operations. */
export function createHandle<Schema>(execute: Execute): Kysely<Schema> {
  return new Kysely<Schema>(props(execute));
}

/** A Kysely handle for the body of one operation. */
export function createOperationHandle<Schema>(execute: Execute): Transaction<Schema> {
  return new Transaction<Schema>(props(execute));
}
