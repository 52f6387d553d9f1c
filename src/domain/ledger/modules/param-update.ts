import { canonicalizeSigned } from "../../../crypto/canonical-json.ts";
import { readMembers } from "../../consensus/read.ts";
import { castVote } from "../ballots.ts";
import type { TransactionModule } from "../module.ts";
import { type ParamsJson, readParamChanges, withChanges } from "../params.ts";
import { PARAMS_KEY, schedule } from "../schedule.ts";

export type ParamUpdatePayload = {
  readonly changes: Partial<ParamsJson>;
};

/** A validator's vote for other parameters. */
export const paramUpdate: TransactionModule<"PARAM_UPDATE", ParamUpdatePayload> = {
  type: "PARAM_UPDATE",
  readPayload(value, pointer) {
    const { changes } = readMembers(value, pointer, ["changes"]);
    return { changes: readParamChanges(changes, `${pointer}/changes`) };
  },
  explain({ changes }) {
    const words = Object.entries(changes).map(([name, value]) => `${name} to ${value}`);
    return {
      summary: `Vote, as a validator, to set ${words.join(", ")}. It happens when a quorum has voted for it.`,
      amount: 0n,
    };
  },
  apply(payload, sender, execution) {
    const subject = canonicalizeSigned({ type: "PARAM_UPDATE", payload });
    const outcome = castVote(execution, sender, subject);
    if (outcome !== "decided") return outcome === "open" ? "OK" : outcome;
    const { after } = execution.draft.get(PARAMS_KEY);
    schedule(execution.draft, PARAMS_KEY, withChanges(after, payload.changes));
    return "OK";
  },
};
