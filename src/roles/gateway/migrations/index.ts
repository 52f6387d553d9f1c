import type { Migration } from "../../../kernel/db/migrate.ts";
import { up as batches } from "./0001-batches.ts";

/** The gateway's migrations, in order. A released one is never changed. */
export const gatewayMigrations: readonly Migration[] = [{ name: "gateway-0001-batches", up: batches }];
