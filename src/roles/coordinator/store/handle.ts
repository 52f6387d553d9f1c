import type { Kysely } from "kysely";
import { prepare, prepareRows } from "../../../kernel/db/prepared.ts";
import type { CoordinatorTables } from "../tables.ts";

/** A handle on the coordinator's tables: for reads, or of one operation. */
export type Db = Kysely<CoordinatorTables>;

/** Prepares a query on the coordinator's tables. */
export const prepared = <Params extends object>() => prepare<CoordinatorTables, Params>();

/** Prepares a query on the coordinator's tables that takes some rows of parameters at once. */
export const preparedRows = <Params extends object>() => prepareRows<CoordinatorTables, Params>();
