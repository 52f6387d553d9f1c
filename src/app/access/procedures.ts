import { defineProcedures } from "../../kernel/db/procedures.ts";
import { insertKey, revokeKey } from "./store.ts";

/** What the API keys write. */
export const accessProcedures = defineProcedures({ insertKey, revokeKey });
