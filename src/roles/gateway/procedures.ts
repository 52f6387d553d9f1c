import { defineProcedures } from "../../kernel/db/procedures.ts";
import {
  addBatch,
  changeBatch,
  deleteLines,
  endBatch,
  endLine,
  insertLines,
  markQueued,
  noteErrors,
} from "./batches/store.ts";
import { deleteExpiredFiles, deleteFileRow, extendFile, insertFile } from "./files/store.ts";

/** What files and batches write. */
export const gatewayProcedures = defineProcedures({
  addBatch,
  changeBatch,
  deleteExpiredFiles,
  deleteFileRow,
  deleteLines,
  endBatch,
  endLine,
  extendFile,
  insertFile,
  insertLines,
  markQueued,
  noteErrors,
});
