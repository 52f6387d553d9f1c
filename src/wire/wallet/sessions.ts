import { z } from "zod";
import { AmountString, Timestamp } from "../scalars.ts";
import { walletRoute } from "./access.ts";
import { WalletId } from "./scalars.ts";

/** What an unlock session may be allowed to do. */
export const SESSION_OPERATIONS = ["sign_message", "sign_document"] as const;
export type SessionOperation = (typeof SESSION_OPERATIONS)[number];

/** An unlock session as anybody with the listener's token sees it: without its own token. */
export const SessionView = z.object({
  session_id: z.string(),
  wallet_id: z.string(),
  operations: z.array(z.enum(SESSION_OPERATIONS)),
  max_amount_uait: AmountString.meta({
    description: "What all documents signed in the session may move together",
  }),
  spent_uait: AmountString,
  opened_at: Timestamp,
  idle_ends_at: Timestamp.meta({ description: "When it ends unless it is used before" }),
  ends_at: Timestamp.meta({ description: "When it ends however often it is used" }),
});
export type SessionView = z.infer<typeof SessionView>;

export const listSessions = walletRoute({
  method: "GET",
  path: "/v1/sessions",
  access: "token",
  tag: "Sessions",
  summary: "Unlock sessions that are open",
  responses: { 200: { description: "All of them", schema: z.object({ items: z.array(SessionView) }) } },
});

export const endSession = walletRoute({
  method: "DELETE",
  path: "/v1/sessions/:session_id",
  access: "token",
  tag: "Sessions",
  summary: "End one unlock session",
  description: "With the last session of a wallet the process that holds its keys is killed.",
  params: z.object({ session_id: z.string().max(64) }),
  responses: { 200: { description: "The session as it was", schema: SessionView } },
});

export const lockAll = walletRoute({
  method: "POST",
  path: "/v1/lock",
  access: "token",
  tag: "Sessions",
  summary: "Lock every wallet",
  responses: {
    200: { description: "The wallets that were unlocked", schema: z.object({ locked: z.array(WalletId) }) },
  },
});

export const SESSION_ROUTES = [listSessions, endSession, lockAll] as const;
