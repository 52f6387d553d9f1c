import type { Compilable, CompiledQuery, Kysely } from "kysely";
import { AppError } from "../errors.ts";
import { executeOn } from "./handle.ts";

/** Stands for a parameter while the query is compiled. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
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
    // One plan for each dialect, made by the first handle of that dialect.
    const plans = new WeakMap<object, Plan<Row>>();
    const execute = (db: Kysely<Schema>, params: Params) => {
      const { adapter } = db.getExecutor();
      let plan = plans.get(adapter);
      if (plan === undefined) {
        plan = compile(db, build);
        plans.set(adapter, plan);
      }
      const { sql, query, queryId } = plan.query;
      return executeOn<Row>(db, { sql, query, queryId, parameters: fill(plan, params) });
    };
    return {
      all: async (db, params) => (await execute(db, params)).rows,
      first: async (db, params) => (await execute(db, params)).rows[0],
      run: async (db, params) => Number((await execute(db, params)).numAffectedRows ?? 0n),
    };
  };
}

function compile<Schema, Params, Row>(
  db: Kysely<Schema>,
  build: (db: Kysely<Schema>, parameter: ParameterOf<Params>) => Compilable<Row>,
): Plan<Row> {
  // The builder passes values through unread, so a placeholder can take the place of any.
  const parameter: ParameterOf<Params> = (name) => new Placeholder(name) as never;
  const query = build(db, parameter).compile();
  const slots = query.parameters.map((value) => (value instanceof Placeholder ? value : { constant: value }));
  return { query, slots };
}

function fill<Row>(plan: Plan<Row>, params: object): unknown[] {
  const { slots } = plan;
  // Parameters are read by the names that the query was built with.
  const values = params as Readonly<Record<string, unknown>>;
  const filled: unknown[] = new Array(slots.length);
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index];
    if (slot instanceof Placeholder) filled[index] = take(values, slot.name);
    else filled[index] = slot?.constant;
  }
  return filled;
}

function take(values: Readonly<Record<string, unknown>>, name: string): unknown {
  const value = values[name];
  if (value === undefined) throw new AppError("STORAGE_MISUSE", `the query needs the parameter ${name}`);
  return value;
}
