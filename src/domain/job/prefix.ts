/**
 * The beginning of a conversation, as a key: a miner that ran an earlier turn still holds its beginning in memory,
 * and need not read it again.
 */
import { RunningHash } from "../../crypto/hash.ts";

/** Turns at the end of a conversation whose beginnings are looked up: what is older was rarely the last one asked. */
export const MAX_LOOKED_UP = 32;

/** The members of a payload that matter here. */
export interface PrefixRequest {
  readonly messages?:
    | readonly { readonly role: string; readonly content: unknown; readonly tool_calls?: unknown }[]
    | undefined;
}

/**
 * Keys of the beginnings of a conversation that hold at least one message of its user, the longest first. The same
 * beginning under another `scope` has other keys. A payload without messages has none.
 */
export function prefixKeys(scope: string, { messages = [] }: PrefixRequest): string[] {
  const firstUser = messages.findIndex(({ role }) => role === "user");
  if (firstUser < 0) return [];
  const hash = new RunningHash();
  hash.update(JSON.stringify(scope));
  const keys: string[] = [];
  const from = Math.max(firstUser, messages.length - MAX_LOOKED_UP);
  for (const [index, { role, content, tool_calls }] of messages.entries()) {
    hash.update(JSON.stringify([role, content, tool_calls ?? null]));
    if (index >= from) keys.unshift(hash.hex());
  }
  return keys;
}
