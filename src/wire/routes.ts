import type { Route } from "./access.ts";
import { JOB_ROUTES } from "./jobs.ts";
import { KEYLESS_ROUTES } from "./miners.ts";
import { MINER_ROUTES } from "./session.ts";
import { KEY_ROUTES, SYSTEM_ROUTES } from "./system.ts";

/** Every route of the program, whatever roles a deployment enables. */
export const ROUTES: readonly Route[] = [
  ...SYSTEM_ROUTES,
  ...KEY_ROUTES,
  ...JOB_ROUTES,
  ...MINER_ROUTES,
  ...KEYLESS_ROUTES,
];
