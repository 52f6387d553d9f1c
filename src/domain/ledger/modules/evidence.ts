import { type Evidence, offenceOf, readEvidence, verifyEvidence } from "../../consensus/evidence.ts";
import { readInteger, readMembers } from "../../consensus/read.ts";
import { type Account, accountKey, getAccount, release, type Unbonding } from "../account.ts";
import { type EntryKind, entryKey } from "../entry.ts";
import { burn } from "../issue.ts";
import type { TransactionModule } from "../module.ts";
import { findValidatorKey } from "../validator-terms.ts";

/** That an offence was punished: the height, by the validator's address and the height. */
export const OFFENCE: EntryKind<number> = {
  namespace: "offence",
  holds: () => 0n,
  toJson: (height) => ({ height }),
  read(json, pointer) {
    const { height } = readMembers(json, pointer, ["height"]);
    return readInteger(height, `${pointer}/height`, 1);
  },
};

export type EvidencePayload = {
  readonly evidence: Evidence;
};

/**
 * Proves that a validator signed two contradicting messages, and burns part of its stake: once for each height,
 * however many of its messages there contradict each other.
 */
export const evidence: TransactionModule<"EVIDENCE", EvidencePayload> = {
  type: "EVIDENCE",
  feeFree: true,
  readPayload(value, pointer) {
    const members = readMembers(value, pointer, ["evidence"]);
    return { evidence: readEvidence(members.evidence, `${pointer}/evidence`) };
  },
  explain(payload) {
    const { validator, height } = offenceOf(payload.evidence);
    return {
      summary: `Report that the validator ${validator} signed contradicting messages at height ${height}. Its stake burns.`,
      amount: 0n,
    };
  },
  apply(payload, _sender, { draft, realm, time, params }) {
    const { validator, height } = offenceOf(payload.evidence);
    const key = findValidatorKey(draft, validator, height);
    if (!key || !verifyEvidence(payload.evidence, realm, key)) return "INVALID_EVIDENCE";
    const mark = entryKey(OFFENCE, `${validator}/${height}`);
    if (draft.find(mark) !== undefined) return "OFFENCE_KNOWN";
    draft.put(mark, height);
    const account = release(getAccount(draft, validator), time);
    const { left, burned } = slash(account, BigInt(params.equivocation_slash_ppm));
    if (burned === 0n) return "OK";
    draft.put(accountKey(validator), left);
    burn(draft, burned);
    return "OK";
  },
};

const WHOLE_PPM = 1_000_000n;

/** Takes a part (ppm, rounded up) of an account's stake and of each part that is still unbonding. */
function slash(account: Account, ppm: bigint): { readonly left: Account; readonly burned: bigint } {
  const part = (amount: bigint): bigint => (amount * ppm + WHOLE_PPM - 1n) / WHOLE_PPM;
  const unbonding: Unbonding[] = [];
  let burned = part(account.stake);
  const left = { ...account, stake: account.stake - burned, unbonding };
  for (const { amount, maturesAt } of account.unbonding) {
    burned += part(amount);
    if (amount > part(amount)) unbonding.push({ amount: amount - part(amount), maturesAt });
  }
  return { left, burned };
}
