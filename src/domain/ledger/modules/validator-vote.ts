import { addressOfKey } from "../../../crypto/address.ts";
import { fromBase64Url } from "../../../crypto/bytes.ts";
import { canonicalizeSigned } from "../../../crypto/canonical-json.ts";
import { isAcceptablePublicKey, PUBLIC_KEY_BYTES } from "../../../crypto/ed25519.ts";
import { PUBLIC_KEY, readMembers, readOneOf, readText, refuse } from "../../consensus/read.ts";
import { MAX_VALIDATORS, type ValidatorSet, validatorSetOf } from "../../consensus/validator-set.ts";
import { castVote } from "../ballots.ts";
import type { Execution, ResultCode } from "../execution.ts";
import type { TransactionModule } from "../module.ts";
import { CHANGE_DELAY, schedule, VALIDATORS_KEY } from "../schedule.ts";
import { beginTerm, endTerm } from "../validator-terms.ts";

export type ValidatorVotePayload = {
  readonly action: "add" | "remove";
  /** Of the validator, base64url. */
  readonly public_key: string;
};

/** A validator's vote for another set of validators. */
export const validatorVote: TransactionModule<"VALIDATOR_VOTE", ValidatorVotePayload> = {
  type: "VALIDATOR_VOTE",
  readPayload(value, pointer) {
    const { action, public_key } = readMembers(value, pointer, ["action", "public_key"]);
    const key = readText(public_key, `${pointer}/public_key`, PUBLIC_KEY);
    if (!isAcceptablePublicKey(bytesOf(key))) refuse(`${pointer}/public_key`, "an acceptable Ed25519 key");
    return { action: readOneOf(action, `${pointer}/action`, ["add", "remove"]), public_key: key };
  },
  explain: ({ action, public_key }) => ({
    summary: `Vote, as a validator, to ${action} the validator ${addressOfKey(bytesOf(public_key))}. It happens when a quorum has voted for it.`,
    amount: 0n,
  }),
  apply(payload, sender, execution) {
    const after = execution.draft.get(VALIDATORS_KEY).after;
    const obstacle = findObstacle(payload, after);
    if (obstacle) return obstacle;
    const subject = canonicalizeSigned({ type: "VALIDATOR_VOTE", payload });
    const outcome = castVote(execution, sender, subject);
    if (outcome === "decided") return change(payload, after, execution);
    return outcome === "open" ? "OK" : outcome;
  },
};

const bytesOf = (publicKey: string): Uint8Array => fromBase64Url("public_key", publicKey, PUBLIC_KEY_BYTES);

/** Why the set cannot be changed like this. */
function findObstacle(
  { action, public_key }: ValidatorVotePayload,
  set: ValidatorSet,
): ResultCode | undefined {
  const isThere = set.has(addressOfKey(bytesOf(public_key)));
  if (action === "add") {
    if (isThere) return "VALIDATOR_EXISTS";
    return set.size >= MAX_VALIDATORS ? "VALIDATORS_FULL" : undefined;
  }
  if (!isThere) return "VALIDATOR_UNKNOWN";
  return set.size === 1 ? "LAST_VALIDATOR" : undefined;
}

function change(payload: ValidatorVotePayload, set: ValidatorSet, { draft, height }: Execution): ResultCode {
  const { action, public_key } = payload;
  const address = addressOfKey(bytesOf(public_key));
  const keys = set.validators.map((validator) => validator.public_key);
  const from = height + CHANGE_DELAY;
  if (action === "remove") {
    endTerm(draft, address, from);
    schedule(draft, VALIDATORS_KEY, validatorSetOf(keys.filter((key) => key !== public_key)));
    return "OK";
  }
  if (!beginTerm(draft, address, public_key, from)) return "VALIDATORS_FULL";
  schedule(draft, VALIDATORS_KEY, validatorSetOf([...keys, public_key]));
  return "OK";
}
