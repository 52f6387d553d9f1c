/** A thread of the store, for the tables of `openNotes`. */
import { parentPort, workerData } from "node:worker_threads";
import { serveCheckpoints } from "../../src/kernel/db/checkpoints.ts";
import { serveWriter } from "../../src/kernel/db/serve-writer.ts";
import { createNoteProcedures } from "./note-procedures.ts";

if (parentPort && workerData === "writer") serveWriter(parentPort, createNoteProcedures(), undefined);
else if (parentPort) serveCheckpoints(parentPort, undefined);
