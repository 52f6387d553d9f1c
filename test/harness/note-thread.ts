/** A writer's thread for the tables of `openNotes`. */
import { parentPort } from "node:worker_threads";
import { serveWriter } from "../../src/kernel/db/serve-writer.ts";
import { createNoteProcedures } from "./note-procedures.ts";

if (parentPort) serveWriter(parentPort, createNoteProcedures(), undefined);
