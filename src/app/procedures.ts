import { defineProcedures } from "../kernel/db/procedures.ts";
import { reindexTable } from "./reindex.ts";

/** What maintenance writes. */
export const appProcedures = defineProcedures({ reindexTable });
