/** From which height to which an address was a validator: kept for ever, because evidence may come late. */
import { fromBase64Url } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { PUBLIC_KEY, readInteger, readList, readMembers, readText } from "../consensus/read.ts";
import type { Draft } from "./draft.ts";
import { type EntryKey, type EntryKind, entryKey } from "./entry.ts";

export interface Term {
  readonly from: number;
  /** Last height; undefined while it lasts. */
  readonly to: number | undefined;
}

interface ValidatorTerms {
  /** Base64url. */
  readonly publicKey: string;
  /** In order, none overlaps another. */
  readonly terms: readonly Term[];
}

/** Terms of one validator: each costs a quorum's agreement, and the entry must stay small. */
const MAX_TERMS = 1024;

export const VALIDATOR: EntryKind<ValidatorTerms> = {
  namespace: "validator",
  holds: () => 0n,
  toJson: ({ publicKey, terms }) => ({
    public_key: publicKey,
    terms: terms.map(({ from, to }) => ({ from, to })),
  }),
  read(json, pointer) {
    const { public_key, terms } = readMembers(json, pointer, ["public_key", "terms"]);
    return {
      publicKey: readText(public_key, `${pointer}/public_key`, PUBLIC_KEY),
      terms: readList(terms, `${pointer}/terms`, MAX_TERMS, readTerm),
    };
  },
};

function readTerm(json: unknown, pointer: string): Term {
  const { from, to } = readMembers(json, pointer, ["from", "to"], ["to"]);
  return {
    from: readInteger(from, `${pointer}/from`, 1),
    to: to === undefined ? undefined : readInteger(to, `${pointer}/to`, 1),
  };
}

const keyOf = (address: string): EntryKey<ValidatorTerms> => entryKey(VALIDATOR, address);

/** Begins a term at a height. False where the validator has had too many. */
export function beginTerm(draft: Draft, address: string, publicKey: string, height: number): boolean {
  const terms = draft.find(keyOf(address))?.terms ?? [];
  const last = terms.at(-1);
  // Voted in again before the way out was in force: the term goes on.
  const isUnbroken = last !== undefined && last.to === height - 1;
  const begun = isUnbroken
    ? [...terms.slice(0, -1), { from: last.from, to: undefined }]
    : [...terms, { from: height, to: undefined }];
  if (begun.length > MAX_TERMS) return false;
  draft.put(keyOf(address), { publicKey, terms: begun });
  return true;
}

/** Ends a validator's term: `height` is the first one without it. */
export function endTerm(draft: Draft, address: string, height: number): void {
  const { publicKey, terms } = draft.get(keyOf(address));
  const last = terms.at(-1);
  // One that was to begin just there never was a term.
  const ended = last && last.from < height ? [{ from: last.from, to: height - 1 }] : [];
  draft.put(keyOf(address), { publicKey, terms: [...terms.slice(0, -1), ...ended] });
}

/** Public key (32 bytes) of the address as validator at a height; undefined where it was none. */
export function findValidatorKey(draft: Draft, address: string, height: number): Uint8Array | undefined {
  const known = draft.find(keyOf(address));
  const served = known?.terms.some(({ from, to }) => from <= height && (to === undefined || height <= to));
  return known && served ? fromBase64Url("public_key", known.publicKey, PUBLIC_KEY_BYTES) : undefined;
}
