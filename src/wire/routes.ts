import type { Route } from "./access.ts";
import { ADMIN_ROUTES, MAINTENANCE_ROUTES } from "./admin.ts";
import { ARTIFACT_ROUTES } from "./artifacts.ts";
import { JOB_LIST_ROUTES } from "./job-lists.ts";
import { JOB_ROUTES } from "./jobs.ts";
import { KEYLESS_ROUTES } from "./miners.ts";
import { MINER_ROUTES } from "./session.ts";
import { KEY_ROUTES, SYSTEM_ROUTES } from "./system.ts";
import { TEMPLATE_ROUTES } from "./templates.ts";

/** Every route of the program, whatever roles a deployment enables. */
export const ROUTES: readonly Route[] = [
  ...SYSTEM_ROUTES,
  ...KEY_ROUTES,
  ...ADMIN_ROUTES,
  ...MAINTENANCE_ROUTES,
  ...JOB_LIST_ROUTES,
  ...TEMPLATE_ROUTES,
  ...JOB_ROUTES,
  ...ARTIFACT_ROUTES,
  ...MINER_ROUTES,
  ...KEYLESS_ROUTES,
];
