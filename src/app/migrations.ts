import type { Migration } from "../kernel/db/migrate.ts";
import { coordinator } from "../roles/coordinator/index.ts";
import { accessMigrations } from "./access/migrations/index.ts";

/** All migrations of the program, whatever roles run: the schema belongs to the version, not to the roles. */
export const MIGRATIONS: readonly Migration[] = [...accessMigrations, ...coordinator.migrations];
