import type { Migration } from "../../../kernel/db/migrate.ts";
import { up as jobs } from "./0001-jobs.ts";
import { up as artifacts } from "./0002-artifacts.ts";

/** The coordinator's migrations, in order. A released one is never changed. */
export const coordinatorMigrations: readonly Migration[] = [
  { name: "coordinator-0001-jobs", up: jobs },
  { name: "coordinator-0002-artifacts", up: artifacts },
];
