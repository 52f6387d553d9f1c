import type { Migration } from "../../../kernel/db/migrate.ts";
import { up as jobs } from "./0001-jobs.ts";
import { up as artifacts } from "./0002-artifacts.ts";
import { up as minerDrain } from "./0003-miner-drain.ts";
import { up as models } from "./0004-models.ts";
import { up as fairOrder } from "./0005-fair-order.ts";
import { up as idempotencyInOrder } from "./0006-idempotency-in-order.ts";

/** The coordinator's migrations, in order. A released one is never changed. */
export const coordinatorMigrations: readonly Migration[] = [
  { name: "coordinator-0001-jobs", up: jobs },
  { name: "coordinator-0002-artifacts", up: artifacts },
  { name: "coordinator-0003-miner-drain", up: minerDrain },
  { name: "coordinator-0004-models", up: models },
  { name: "coordinator-0005-fair-order", up: fairOrder },
  { name: "coordinator-0006-idempotency-in-order", up: idempotencyInOrder },
];
