import type { RouteContract } from "../kernel/http/contract.ts";

/** The three kinds of API key. */
export const KEY_KINDS = ["admin", "client", "miner"] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** Who may call a route: everybody, or the holders of the kinds of key that are listed. */
export type Access = "public" | readonly KeyKind[];

/** The caller of a request, as its key proves it. */
export interface Principal {
  /** Id of the key; not secret. */
  readonly key_id: string;
  readonly kind: KeyKind;
  /** Opaque id of the key's owner: what jobs and receipts name as `client`. Never the key. */
  readonly owner_id: string;
}

/** A route of this program: every one declares its access. */
export type Route = RouteContract<Access>;

/** Keeps the literal types of a route, so that its handler gets typed parameters, query and body. */
export function route<const R extends Route>(contract: R): R {
  return contract;
}
