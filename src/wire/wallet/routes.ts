import { getOpenApi } from "../system.ts";
import { type WalletRoute, walletRoute } from "./access.ts";
import { RECEIPT_ROUTES } from "./receipts.ts";
import { rpc } from "./rpc.ts";
import { SESSION_ROUTES } from "./sessions.ts";
import { WALLET_KEY_ROUTES } from "./wallets.ts";

export const getWalletOpenApi = walletRoute({ ...getOpenApi, access: "token" });

/** Every route of the wallet's listener. None of them is served anywhere else. */
export const WALLET_ROUTES: readonly WalletRoute[] = [
  ...WALLET_KEY_ROUTES,
  ...SESSION_ROUTES,
  ...RECEIPT_ROUTES,
  rpc,
  getWalletOpenApi,
];
