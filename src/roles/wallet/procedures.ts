import { defineProcedures } from "../../kernel/db/procedures.ts";
import { closeJob, noteJobs, putNewestJob } from "./receipts/store.ts";
import { storePage } from "./receipts/store-page.ts";
import { countPasswordCall, putBackoff, reservePasswordTry } from "./sessions/store.ts";
import { insertAccess, insertEvent } from "./store.ts";

/** What the wallet's daemon writes. */
export const walletProcedures = defineProcedures({
  closeJob,
  countPasswordCall,
  insertAccess,
  insertEvent,
  noteJobs,
  putBackoff,
  putNewestJob,
  reservePasswordTry,
  storePage,
});
