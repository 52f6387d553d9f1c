import type { Compilable, CompiledQuery, Kysely, QueryResult } from "kysely";
import { AppError } from "../errors.ts";
import { executeOn } from "./handle.ts";

/** Rows that one statement takes: with one for each, a short statement's beginning and end take longer than its rows. */
const ROWS_A_STATEMENT = 8;

/** Stands for a parameter while the query is compiled. */
class Placeholder {
  readonly row: number;
  readonly name: string;

  constructor(row: number, name: string) {
    this.row = row;
    this.name = name;
  }
}

type ParameterOf<Params> = <Name extends keyof Params & string>(name: Name) => Params[Name];

/** A query compiled once, run with parameters on any handle of its schema. */
export interface Prepared<Schema, Params, Row> {
  /** All rows, in order. */
  all(db: Kysely<Schema>, params: Params): Promise<Row[]>;
  /** The first row, or undefined. */
  first(db: Kysely<Schema>, params: Params): Promise<Row | undefined>;
  /** Runs a write and returns how many rows it changed, inserted or deleted. */
  run(db: Kysely<Schema>, params: Params): Promise<number>;
}

/** A query compiled for some rows of parameters at once. */
export interface PreparedRows<Schema, Params, Row> {
  /** What the query finds for the parameters, in no order. */
  all(db: Kysely<Schema>, rows: readonly Params[]): Promise<Row[]>;
  /** Runs a write and returns how many rows it changed, inserted or deleted. */
  run(db: Kysely<Schema>, rows: readonly Params[]): Promise<number>;
}

interface Plan<Row> {
  readonly query: CompiledQuery<Row>;
  /** What each placeholder of the SQL takes: a parameter's name, or the constant written in the query. */
  readonly slots: readonly (Placeholder | { readonly constant: unknown })[];
}

/**
 * Prepares a query for a hot path, where building it anew would cost more than running it:
 *
 *     const findJob = prepare<Tables, { id: string }>()((db, p) =>
 *       db.selectFrom("coordinator_job").selectAll().where("id", "=", p("id")));
 *     const job = await findJob.first(tx, { id });
 *
 * A parameter stands for one value: a list for `in` cannot be one, and `is null` must be written as such.
 */
export function prepare<Schema, Params extends object>() {
  return <Row>(
    build: (db: Kysely<Schema>, parameter: ParameterOf<Params>) => Compilable<Row>,
  ): Prepared<Schema, Params, Row> => {
    const planOn = planner<Schema, Row>((db) => build(db, parameterOf<Params>(0)));
    const execute = (db: Kysely<Schema>, params: Params) => executePlan(db, planOn(db), [params]);
    return {
      all: async (db, params) => (await execute(db, params)).rows,
      first: async (db, params) => (await execute(db, params)).rows[0],
      run: async (db, params) => changesOf(await execute(db, params)),
    };
  };
}

/**
 * As `prepare`, of a query that takes some rows of parameters, such as an insert of several rows:
 *
 *     const insertJobs = prepareRows<Tables, JobTable>()((db, rows) =>
 *       db.insertInto("coordinator_job").values(rows.map((p) => ({ id: p("id") }))));
 *     await insertJobs.run(tx, jobs);
 */
export function prepareRows<Schema, Params extends object>() {
  return <Row>(
    build: (db: Kysely<Schema>, rows: readonly ParameterOf<Params>[]) => Compilable<Row>,
  ): PreparedRows<Schema, Params, Row> => {
    const plannerOf = (count: number) =>
      planner<Schema, Row>((db) =>
        build(
          db,
          Array.from({ length: count }, (_, row) => parameterOf<Params>(row)),
        ),
      );
    const planOnSome = plannerOf(ROWS_A_STATEMENT);
    const planOnOne = plannerOf(1);
    async function execute(
      db: Kysely<Schema>,
      rows: readonly Params[],
      take: (result: QueryResult<Row>) => void,
    ): Promise<void> {
      for (let at = 0; at < rows.length; ) {
        const isFull = rows.length - at >= ROWS_A_STATEMENT;
        const count = isFull ? ROWS_A_STATEMENT : 1;
        const plan = (isFull ? planOnSome : planOnOne)(db);
        take(await executePlan(db, plan, rows.slice(at, at + count)));
        at += count;
      }
    }
    return {
      async all(db, rows) {
        const found: Row[] = [];
        await execute(db, rows, (result) => void found.push(...result.rows));
        return found;
      },
      async run(db, rows) {
        let changes = 0;
        await execute(db, rows, (result) => {
          changes += changesOf(result);
        });
        return changes;
      },
    };
  };
}

/** Plans of a query, one for each dialect, made by the first handle of that dialect. */
function planner<Schema, Row>(build: (db: Kysely<Schema>) => Compilable<Row>) {
  const plans = new WeakMap<object, Plan<Row>>();
  return (db: Kysely<Schema>): Plan<Row> => {
    const { adapter } = db.getExecutor();
    let plan = plans.get(adapter);
    if (plan === undefined) {
      const query = build(db).compile();
      const slots = query.parameters.map((value) =>
        value instanceof Placeholder ? value : { constant: value },
      );
      plan = { query, slots };
      plans.set(adapter, plan);
    }
    return plan;
  };
}

/** The builder passes values through unread, so a placeholder can take the place of any. */
const parameterOf =
  <Params>(row: number): ParameterOf<Params> =>
  (name) =>
    new Placeholder(row, name) as never;

function executePlan<Schema, Row>(db: Kysely<Schema>, { query, slots }: Plan<Row>, rows: readonly object[]) {
  const parameters: unknown[] = new Array(slots.length);
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index];
    parameters[index] = slot instanceof Placeholder ? take(rows, slot) : slot?.constant;
  }
  return executeOn<Row>(db, { sql: query.sql, query: query.query, queryId: query.queryId, parameters });
}

function take(rows: readonly object[], { row, name }: Placeholder): unknown {
  // Parameters are read by the names that the query was built with.
  const value = (rows[row] as Readonly<Record<string, unknown>>)[name];
  if (value === undefined) throw new AppError("STORAGE_MISUSE", `the query needs the parameter ${name}`);
  return value;
}

const changesOf = ({ numAffectedRows }: QueryResult<unknown>): number => Number(numAffectedRows ?? 0n);
