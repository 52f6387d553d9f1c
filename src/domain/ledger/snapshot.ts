/** A state as a list of its entries, for nodes that do not follow the chain from its first block. */
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { AppError } from "../../kernel/errors.ts";
import { readMembers, readText } from "../consensus/read.ts";
import { type Entry, hashName } from "./entry.ts";
import { keyOfName } from "./kinds.ts";
import { LedgerState } from "./state.ts";

const NAME = /^[\x21-\x7e]{1,256}$/;

/** Text of each entry, in the order of the state tree: canonical JSON with `name` and `value`. */
export function* listEntries(state: LedgerState): Generator<string> {
  for (const { key, value } of state.entries()) {
    yield canonicalizeSigned({ name: key.name, value: key.kind.toJson(value) });
  }
}

/**
 * The state with these entries, which must have this root: whoever sent them cannot have changed anything.
 * Throws INVALID_PAYLOAD.
 */
export function stateOfEntries(texts: Iterable<string>, root: string): LedgerState {
  const changes = Array.from(texts, (text) => {
    const entry = parseEntry(text);
    return { hash: hashName(entry.key.name), entry };
  });
  if (new Set(changes.map(({ entry }) => entry.key.name)).size !== changes.length) {
    throw new AppError("INVALID_PAYLOAD", "an entry of the state stands there twice");
  }
  const state = LedgerState.empty.with(changes);
  if (state.root === root) return state;
  throw new AppError("INVALID_PAYLOAD", `the entries have the root ${state.root} and not ${root}`);
}

function parseEntry(text: string): Entry {
  const { name, value } = readMembers(parseCanonical(text), "", ["name", "value"]);
  const key = keyOfName(readText(name, "/name", NAME));
  return { key, value: key.kind.read(value, "/value") };
}
