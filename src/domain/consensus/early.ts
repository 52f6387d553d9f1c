/**
 * Messages for round 0 of the next height. Nodes finish a height at different moments; without this the slower
 * ones would get the first votes of each height only when they are sent again.
 */
import { headerHash } from "./header.ts";
import type { ProposalMessage } from "./message.ts";
import { NO_ROUND, verifyProposal } from "./proposal.ts";
import { acceptProposal, acceptVote } from "./record.ts";
import type { EarlyMessage } from "./state.ts";
import { isTimely } from "./timing.ts";
import { type Vote, verifyVote } from "./vote.ts";
import type { Work } from "./work.ts";

/** Keeps a vote for round 0 of the next height. Says why when no honest node sends it. */
export function receiveEarlyVote(work: Work, vote: Vote): string | undefined {
  const { input, settings, early } = work.state;
  const slot = `${vote.step} ${vote.validator}`;
  const key = input.nextValidators.findKey(vote.validator);
  if (!key) return "a vote of nobody in the next set";
  if (vote.round !== 0 || early.has(slot)) return undefined;
  if (!verifyVote(vote, settings.realm, key, settings.verify)) return "a vote that does not verify";
  keep(work, slot, { type: "vote", vote });
  return undefined;
}

/** Keeps a proposal for round 0 of the next height. Says why when no honest node sends it. */
export function receiveEarlyProposal(
  work: Work,
  { proposal, block }: ProposalMessage,
  now: number,
): string | undefined {
  const { input, settings, early } = work.state;
  if (proposal.round !== 0 || proposal.valid_round !== NO_ROUND || early.has("proposal")) return undefined;
  const key = input.nextValidators.findKey(proposal.proposer);
  if (!key || proposal.proposer !== input.nextValidators.proposer(proposal.height, 0))
    return "a proposal out of turn";
  if (headerHash(block.header) !== proposal.block_hash) return "a proposal of another block";
  if (!verifyProposal(proposal, settings.realm, key, settings.verify))
    return "a proposal that does not verify";
  keep(work, "proposal", { type: "proposal", proposal, block, now });
  return undefined;
}

function keep(work: Work, slot: string, message: EarlyMessage): void {
  work.update({ early: new Map(work.state.early).set(slot, message) });
}

/** Takes what came early, now that its height has started. */
export function acceptEarly(work: Work, early: Iterable<EarlyMessage>): void {
  const { input, settings } = work.state;
  for (const message of early) {
    if (message.type === "vote") {
      if (message.vote.height === input.height) acceptVote(work, message.vote);
      continue;
    }
    const { proposal, block, now } = message;
    if (proposal.height !== input.height) continue;
    const isOwnBlock = block.header.proposer === proposal.proposer;
    acceptProposal(work, proposal, block, isOwnBlock && isTimely(settings.timing, block.header.time, now, 0));
  }
}
