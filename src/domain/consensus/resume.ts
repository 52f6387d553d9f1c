/** How a node begins: at the first height, after catching up, or at the place where a crash stopped it. */
import { certificateHash } from "./certificate.ts";
import type { ConsensusEffect, HeightInput, StoredBlock } from "./event.ts";
import { headerHash } from "./header.ts";
import { acceptCertificate, acceptProposal, acceptVote, learnBlock } from "./record.ts";
import { schedule } from "./rounds.ts";
import { applyRules } from "./rules.ts";
import type { SignState } from "./sign-state.ts";
import { createState, findProof, type Settings, type State } from "./state.ts";
import { Work } from "./work.ts";

/**
 * Starts a node, or starts it again after a crash. `signState` is what was last saved, and `stored` the blocks that
 * were stored for this height; the node goes on at the place where it last signed, and says the same things again.
 */
export function resume(
  settings: Settings,
  input: HeightInput,
  signState: SignState,
  stored: readonly StoredBlock[],
): [State, readonly ConsensusEffect[]] {
  const work = new Work(createState(settings, input, signState));
  begin(work, stored);
  applyRules(work);
  return work.finish();
}

/**
 * Begins the height of a new state: before round 0, or, where this validator has signed at this height before, at
 * that place and with its locks. That happens to a node whose blocks were rolled back and whose sign-state was not.
 */
export function begin(work: Work, stored: readonly StoredBlock[]): void {
  const { signState, input } = work.state;
  if (signState.height !== input.height) {
    schedule(work, "empty-block");
    return;
  }
  const { locked_round, locked_hash, valid_round, valid_hash, valid_proof, round } = signState;
  const locks = { locked_round, locked_hash, valid_round, valid_hash, valid_proof };
  work.update({ phase: "deciding", round, step: signState.step, locks });
  for (const { block, proof } of stored) {
    learnBlock(work, headerHash(block.header), block);
    // A proof holds an own prevote too. Where the crash came before the sign-state was saved, that prevote was never
    // sent, this state does not know it, and it must not come back from here beside one that is signed later.
    if (proof !== null && certificateHash(proof) === valid_proof) acceptCertificate(work, proof);
  }
  for (const proposal of signState.proposals) {
    const known = work.state.blocks.get(proposal.block_hash);
    if (!known) continue;
    acceptProposal(work, proposal, known.block, true);
    const proof = findProof(work.state, proposal);
    work.send({ type: "proposal", proposal, block: known.block, proof });
  }
  for (const vote of signState.votes) {
    acceptVote(work, vote);
    work.send({ type: "vote", vote });
  }
  if (signState.step === "propose") schedule(work, "propose");
}
