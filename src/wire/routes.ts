import type { Route } from "./access.ts";
import { ADMIN_ROUTES, MAINTENANCE_ROUTES } from "./admin.ts";
import { ARTIFACT_ROUTES } from "./artifacts.ts";
import { explainJob } from "./explain.ts";
import { JOB_LIST_ROUTES } from "./job-lists.ts";
import { JOB_ROUTES } from "./jobs.ts";
import { MINER_ACCOUNT_ROUTES } from "./miner-accounts.ts";
import { KEYLESS_ROUTES } from "./miners.ts";
import { OLLAMA_ROUTES } from "./ollama/routes.ts";
import { OPENAI_ROUTES } from "./openai/routes.ts";
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
  explainJob,
  ...ARTIFACT_ROUTES,
  ...OPENAI_ROUTES,
  ...OLLAMA_ROUTES,
  ...MINER_ROUTES,
  ...KEYLESS_ROUTES,
  ...MINER_ACCOUNT_ROUTES,
];
