import type { Channel } from "../../kernel/channel.ts";
import type { Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import { checkJobs } from "./checks.ts";
import { CoordinatorConfig } from "./config.ts";
import { type CoordinatorDoor, createDoor } from "./door.ts";
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
  /** Jobs and models for other roles in this process. */
  readonly door: CoordinatorDoor;
  /** Serves a miner in this process over its end of a channel. */
  acceptLocalMiner(channel: Channel): void;
  /**
   * An artifact that a running job of a miner in this process names.
   * @throws AppError ARTIFACT_NOT_FOUND
   */
  openArtifactForLocalMiner(sha256: string): Promise<ReadableStream<Uint8Array>>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A miner in this process, as others are known by their API key. */
const LOCAL_MINER: Principal = { key_id: "local", kind: "miner", owner_id: "local" };

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
      door: createDoor(service),
      acceptLocalMiner: (channel) => service.acceptMiner(LOCAL_MINER.key_id, channel),
      openArtifactForLocalMiner: (sha256) => service.artifacts.open(LOCAL_MINER, sha256),
      [Symbol.asyncDispose]: () => service.stop(),
    };
  },
} as const;
