import { problemResponse } from "../../kernel/http/problem.ts";
import { ok, type Reply, type Router } from "../../kernel/http/router.ts";
import type { WalletAccess, WalletCaller } from "../../wire/wallet/access.ts";
import {
  listAccess,
  listReceiptStatus,
  listWalletEvents,
  verifyLatestReceipt,
  verifyReceiptHistory,
} from "../../wire/wallet/receipts.ts";
import { getWalletOpenApi, WALLET_ROUTES } from "../../wire/wallet/routes.ts";
import { rpc } from "../../wire/wallet/rpc.ts";
import { endSession, listSessions, lockAll } from "../../wire/wallet/sessions.ts";
import {
  createWallet,
  getWallet,
  listWallets,
  lockWallet,
  signDocument,
  signMessage,
  unlockWallet,
} from "../../wire/wallet/wallets.ts";
import { findWeakPassword } from "./errors.ts";
import type { Caller, History } from "./history.ts";
import type { Receipts } from "./receipts/receipts.ts";
import { RpcServer } from "./rpc/server.ts";
import type { WalletService } from "./service.ts";

export type WalletRouter = Router<WalletAccess, WalletCaller>;

/** What the routes answer from. */
export interface Answering {
  readonly service: WalletService;
  readonly receipts: Receipts;
  readonly history: History;
  readonly version: string;
  /** An error that is the server's own fault, of a call whose answer cannot show it. */
  readonly onFault: (error: unknown, requestId: string) => void;
}

const byRest = ({ requestId }: { readonly requestId: string }): Caller => ({ via: "rest", requestId });

/** The routes of the wallet's listener. */
export function addWalletRoutes(router: WalletRouter, answering: Answering): void {
  addKeyRoutes(router, answering.service);
  addSessionRoutes(router, answering.service);
  addReceiptRoutes(router, answering);
  const server = new RpcServer(answering);
  router.on(rpc, async ({ body, requestId }) => {
    const reply = await server.answer(body, requestId);
    return reply === undefined ? new Response(null, { status: 204 }) : ok(reply);
  });
  router.on(getWalletOpenApi, async () => {
    const { createWalletOpenApi } = await import("../../wire/openapi.ts");
    return ok(createWalletOpenApi(WALLET_ROUTES, answering.version));
  });
}

function addKeyRoutes(router: WalletRouter, service: WalletService): void {
  router.on(listWallets, async () => ok(await service.list()));
  router.on(createWallet, async (call) => {
    try {
      return { status: 201, json: { wallet: await service.create(byRest(call), call.body) } };
    } catch (error) {
      return weakPasswordReply(error, call.requestId);
    }
  });
  router.on(getWallet, async ({ params }) => ok({ wallet: await service.get(params.wallet_id) }));
  router.on(unlockWallet, async (call) =>
    ok(await service.unlock(byRest(call), call.params.wallet_id, call.body)),
  );
  router.on(lockWallet, async (call) => {
    const { wallet_id } = call.params;
    await service.lock(byRest(call), wallet_id);
    return ok({ wallet_id, unlocked: false });
  });
  router.on(signMessage, async (call) =>
    ok(await service.signMessage(byRest(call), call.params.wallet_id, call.body)),
  );
  router.on(signDocument, async (call) =>
    ok(await service.signDocument(byRest(call), call.params.wallet_id, call.body)),
  );
}

/** A problem document with the members that existing clients read; any other error goes on. */
async function weakPasswordReply(error: unknown, requestId: string): Promise<Reply> {
  const weak = findWeakPassword(error);
  if (!weak) throw error;
  const problem = problemResponse(error, requestId);
  return {
    status: problem.status,
    json: { ...((await problem.json()) as object), ...weak },
    headers: { "content-type": "application/problem+json" },
  };
}

function addSessionRoutes(router: WalletRouter, service: WalletService): void {
  router.on(listSessions, () => ok({ items: service.listSessions() }));
  router.on(endSession, async (call) => ok(await service.endSession(byRest(call), call.params.session_id)));
  router.on(lockAll, async (call) => ok({ locked: await service.lockAll(byRest(call)) }));
}

function addReceiptRoutes(router: WalletRouter, { receipts, history }: Answering): void {
  router.on(verifyLatestReceipt, async ({ params }) => ok(await receipts.latest(params.job_id)));
  router.on(verifyReceiptHistory, async ({ params, query }) =>
    ok(await receipts.history(params.job_id, { cursor: query.cursor, limit: query.limit })),
  );
  router.on(listReceiptStatus, async ({ query }) =>
    ok(await receipts.list({ cursor: query.cursor, limit: query.limit }, query.failed === "true")),
  );
  router.on(listWalletEvents, async ({ query }) =>
    ok(await history.listEvents(Number(query.cursor ?? 0), query.limit)),
  );
  router.on(listAccess, async ({ query }) =>
    ok(await history.listAccess(Number(query.cursor ?? 0), query.limit)),
  );
}
