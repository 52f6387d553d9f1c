import type { Channel } from "../../kernel/channel.ts";
import type { Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import { checkJobs } from "./checks.ts";
import { CoordinatorConfig } from "./config.ts";
import { coordinatorMigrations } from "./migrations/index.ts";
import type { CoordinatorDeps } from "./ports.ts";
import { addCoordinatorRoutes } from "./routes.ts";
import { Coordinator } from "./service.ts";

export type { CoordinatorDeps } from "./ports.ts";
export type { CoordinatorTables } from "./tables.ts";
export { CoordinatorConfig };

/** The coordinator as the daemon runs it. */
export interface CoordinatorRole {
  addRoutes(router: Router<Access, Principal>): void;
  start(): Promise<void>;
  ready(): boolean;
  /** Serves a miner in this process over its end of a channel. */
  acceptLocalMiner(channel: Channel): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a miner in this process is named where others have the id of their API key. */
const LOCAL_KEY_ID = "local";

/** The coordinator: job intake, queue, leases, dispatch, streams, receipts. */
export const coordinator = {
  name: "coordinator",
  config: CoordinatorConfig,
  migrations: coordinatorMigrations,
  /** Looks for what must never be in a database; for backups. */
  check: checkJobs,
  create(config: CoordinatorConfig, deps: CoordinatorDeps): CoordinatorRole {
    const service = new Coordinator(deps, config);
    return {
      addRoutes: (router) => addCoordinatorRoutes(router, service),
      start: () => service.start(),
      ready: () => service.ready,
      acceptLocalMiner: (channel) => service.acceptMiner(LOCAL_KEY_ID, channel),
      [Symbol.asyncDispose]: () => service.stop(),
    };
  },
} as const;
