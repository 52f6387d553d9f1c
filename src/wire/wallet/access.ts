import type { RouteContract } from "../../kernel/http/contract.ts";

/** Who may call a route of the wallet's listener: whoever shows the token of its file, and nobody else. */
export type WalletAccess = "token";

/** The caller of a request: there is one, the owner of the token. */
export interface WalletCaller {
  readonly owner: "token";
}

/** A route of the wallet's own listener. */
export type WalletRoute = RouteContract<WalletAccess>;

/** Keeps the literal types of a route, so that its handler gets typed parameters, query and body. */
export function walletRoute<const R extends WalletRoute>(contract: R): R {
  return contract;
}
