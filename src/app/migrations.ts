import type { Migration } from "../kernel/db/migrate.ts";
import { coordinator } from "../roles/coordinator/index.ts";
import { gateway } from "../roles/gateway/index.ts";
import { wallet } from "../roles/wallet/index.ts";
import { accessMigrations } from "./access/migrations/index.ts";
import released from "./migrations.lock.json" with { type: "json" };

/** All migrations of the program, whatever roles run: the schema belongs to the version, not to the roles. */
export const MIGRATIONS: readonly Migration[] = [
  ...accessMigrations,
  ...coordinator.migrations,
  ...gateway.migrations,
  ...wallet.migrations,
];

/** SHA-256 of the statements of each released migration, by name. */
export const RELEASED_MIGRATIONS: Readonly<Record<string, string>> = released;
