import type { Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import { Batches } from "./batches/batches.ts";
import { addBatchRoutes } from "./batches/routes.ts";
import { Files } from "./files/files.ts";
import { addFileRoutes } from "./files/routes.ts";
import { gatewayMigrations } from "./migrations/index.ts";
import { addOllamaRoutes } from "./ollama/routes.ts";
import { addOpenAiRoutes } from "./openai/routes.ts";
import type { GatewayDeps } from "./ports.ts";

export type { BatchPort, GatewayDeps } from "./ports.ts";
export type { GatewayTables } from "./tables.ts";

/** How often expired files are forgotten, in ms. */
const TIDY_INTERVAL_MS = 60_000;

export interface GatewayRole {
  addRoutes(router: Router<Access, Principal>): void;
  /** Goes on with the batches of an earlier process. The coordinator has started. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The gateway: the APIs that clients of other programs speak, over the coordinator's jobs. */
export const gateway = {
  name: "gateway",
  migrations: gatewayMigrations,
  create(deps: GatewayDeps): GatewayRole {
    const files = new Files(deps);
    const batches = new Batches(deps, files);
    let timer: NodeJS.Timeout | undefined;
    const tidy = (): void => {
      files.tidy().catch((error: unknown) => deps.log.error({ err: error }, "files not tidied"));
    };
    return {
      addRoutes(router) {
        addFileRoutes(router, files, (fileId) => batches.assertFree(fileId));
        addBatchRoutes(router, batches);
        addOpenAiRoutes(router, deps);
        addOllamaRoutes(router, deps);
      },
      async start() {
        timer = setInterval(tidy, TIDY_INTERVAL_MS);
        await batches.start();
      },
      async [Symbol.asyncDispose]() {
        clearInterval(timer);
        await batches.stop();
      },
    };
  },
} as const;
