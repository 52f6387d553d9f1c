import { createRouter, type Router } from "../../kernel/http/router.ts";
import { MAX_BODY_BYTES } from "../../wire/limits.ts";
import type { WalletAccess, WalletCaller } from "../../wire/wallet/access.ts";
import type { WalletConfig } from "./config.ts";
import { History } from "./history.ts";
import { Door, type Knock } from "./http/guard.ts";
import { ListenerToken } from "./http/token.ts";
import { WalletMetrics } from "./metrics.ts";
import type { WalletDeps } from "./ports.ts";
import { Follower } from "./receipts/follower.ts";
import { ReceiptIngest } from "./receipts/ingest.ts";
import { Receipts } from "./receipts/receipts.ts";
import { addWalletRoutes } from "./routes.ts";
import { WalletService } from "./service.ts";
import { PasswordGate } from "./sessions/password-gate.ts";
import { Sessions } from "./sessions/sessions.ts";

export { createSigner } from "./signer/create-signer.ts";

const MS_PER_SECOND = 1000;

/** The wallet as the daemon runs it. */
export interface WalletRole {
  /** Its routes, for its own listener and no other. */
  readonly router: Router<WalletAccess, WalletCaller>;
  /** Turns away whoever may not talk to the wallet, before a request is looked at. Throws AppError. */
  readonly admit: (request: Knock) => void;
  start(): Promise<void>;
  ready(): boolean;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The only caller that `admit` lets in. */
const OWNER: WalletCaller = { owner: "token" };

function createParts(config: WalletConfig, deps: WalletDeps, stopping: AbortSignal) {
  const { store, bus, log, clock, ids, random, signer, sources } = deps;
  const history = new History(deps);
  const sessions = new Sessions({
    signer,
    clock,
    ids,
    random,
    async onLocked(walletId, reason) {
      try {
        await history.locked(walletId, reason);
      } catch (error) {
        log.error({ err: error }, "a lock was not noted");
      }
    },
    onError: (error) => log.error({ err: error }, "a wallet was not locked"),
  });
  const metrics = new WalletMetrics(deps.metrics, {
    sessions: () => sessions.count,
    unlocked: () => sessions.unlockedCount,
  });
  const gate = new PasswordGate({ store, clock, onWrong: () => metrics.wrongPasswords.inc() });
  const service = new WalletService({ config, deps, sessions, gate, history, metrics });
  const ingest = new ReceiptIngest({
    store,
    clock,
    bus,
    minerKeys: config.receipt_miner_keys,
    onChecked: (isValid) => metrics.receipts.inc({ outcome: isValid ? "valid" : "invalid" }),
  });
  const receipts = new Receipts({ store, sources, ingest, log, stopping });
  const pollMs = config.receipt_poll_seconds * MS_PER_SECOND;
  const onFailure = (): void => metrics.ingestFailures.inc();
  const followers = sources.map(
    (source) => new Follower(source, { store, ingest, clock, log, random, pollMs, onFailure }),
  );
  return { history, sessions, metrics, service, receipts, followers };
}

/** Creates the wallet. Does no I/O. */
export function createWalletRole(config: WalletConfig, deps: WalletDeps): WalletRole {
  const stopping = new AbortController();
  const { log, bus } = deps;
  const { history, sessions, metrics, service, receipts, followers } = createParts(
    config,
    deps,
    stopping.signal,
  );
  const door = new Door(
    { allowedHosts: config.allowed_hosts, allowedOrigins: config.allowed_origins },
    (reason) => metrics.refused.inc({ reason }),
  );
  const router = createRouter<WalletAccess, WalletCaller>(() => OWNER, MAX_BODY_BYTES);
  addWalletRoutes(router, {
    service,
    receipts,
    history,
    version: deps.version,
    onFault: (error, request_id) => log.error({ err: error, request_id, route: "/rpc" }, "request failed"),
  });
  let isReady = false;
  let unsubscribe = (): void => {};
  return {
    router,
    admit: door.admit,
    ready: () => isReady,
    async start() {
      door.open(await ListenerToken.open(deps.tokenFile, deps.random));
      sessions.start();
      unsubscribe = bus.on("receipt.issued", () => {
        for (const follower of followers) if (follower.isLocal) follower.nudge();
      });
      for (const follower of followers) follower.start();
      isReady = true;
    },
    async [Symbol.asyncDispose]() {
      isReady = false;
      unsubscribe();
      stopping.abort();
      await Promise.all(followers.map((follower) => follower.stop()));
      await sessions.stop();
      await deps.signer[Symbol.asyncDispose]();
    },
  };
}
