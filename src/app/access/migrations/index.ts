import type { Migration } from "../../../kernel/db/migrate.ts";
import { up as keys } from "./0001-keys.ts";

/** Migrations of the API keys, in order. A released one is never changed. */
export const accessMigrations: readonly Migration[] = [{ name: "access-0001-keys", up: keys }];
