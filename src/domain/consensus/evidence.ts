/**
 * Evidence of equivocation: two messages that one validator signed for the same step of the same round and that
 * say different things. An honest validator cannot make them, because it saves what it signs before it sends.
 */
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { verify } from "../../crypto/ed25519.ts";
import { type Proposal, readProposal, verifyProposal } from "./proposal.ts";
import { readList, readMembers, readOneOf, refuse } from "./read.ts";
import { readVote, type Verify, type Vote, verifyVote } from "./vote.ts";

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Evidence =
  | { readonly v: 1; readonly kind: "votes"; readonly messages: readonly [Vote, Vote] }
  | { readonly v: 1; readonly kind: "proposals"; readonly messages: readonly [Proposal, Proposal] };

/** What a piece of evidence is about: two pieces with the same members prove the same offence. */
export type Offence = {
  readonly validator: string;
  readonly height: number;
  readonly round: number;
  readonly step: "propose" | "prevote" | "precommit";
};

/** Longest text of a piece of evidence, in bytes. */
const MAX_EVIDENCE_BYTES = 4096;

/** Two votes of one validator for one step that differ in what they say. Undefined where they do not contradict. */
export function findVoteEvidence(first: Vote, second: Vote): Evidence | undefined {
  const messages = inOrder(first, second);
  const evidence: Evidence = { v: 1, kind: "votes", messages };
  return isContradiction(evidence) ? evidence : undefined;
}

/** Two proposals of one validator for one round that differ. Undefined where they do not contradict. */
export function findProposalEvidence(first: Proposal, second: Proposal): Evidence | undefined {
  const evidence: Evidence = { v: 1, kind: "proposals", messages: inOrder(first, second) };
  return isContradiction(evidence) ? evidence : undefined;
}

/** What the evidence is about. */
export function offenceOf(evidence: Evidence): Offence {
  if (evidence.kind === "proposals") {
    const { proposer, height, round } = evidence.messages[0];
    return { validator: proposer, height, round, step: "propose" };
  }
  const { validator, height, round, step } = evidence.messages[0];
  return { validator, height, round, step };
}

/**
 * Whether the evidence proves its offence under this key, which the caller knows as the validator's at that
 * height: the messages contradict each other, stand in order, and both signatures hold.
 */
export function verifyEvidence(
  evidence: Evidence,
  realm: Uint8Array,
  publicKey: Uint8Array,
  rule: Verify = verify,
): boolean {
  if (!isContradiction(evidence)) return false;
  return evidence.kind === "votes"
    ? evidence.messages.every((vote) => verifyVote(vote, realm, publicKey, rule))
    : evidence.messages.every((proposal) => verifyProposal(proposal, realm, publicKey, rule));
}

/** Text of a piece of evidence. */
export function formatEvidence(evidence: Evidence): string {
  return canonicalizeSigned(evidence);
}

/** Reads the text of a piece of evidence, which must be canonical. Throws INVALID_PAYLOAD, or as the parser does. */
export function parseEvidence(text: string): Evidence {
  return readEvidence(parseCanonical(text, { maxBytes: MAX_EVIDENCE_BYTES }));
}

/** Reads evidence from parsed JSON: two messages that contradict each other, in order. Throws INVALID_PAYLOAD. */
export function readEvidence(value: unknown, pointer = ""): Evidence {
  const members = readMembers(value, pointer, ["v", "kind", "messages"]);
  const v = readOneOf(members.v, `${pointer}/v`, [1]);
  const kind = readOneOf(members.kind, `${pointer}/kind`, ["votes", "proposals"]);
  const evidence: Evidence =
    kind === "votes"
      ? { v, kind, messages: readPair(members.messages, pointer, readVote) }
      : { v, kind, messages: readPair(members.messages, pointer, readProposal) };
  return isContradiction(evidence)
    ? evidence
    : refuse(`${pointer}/messages`, "two that contradict each other, in order");
}

function readPair<Message>(
  value: unknown,
  pointer: string,
  read: (value: unknown, pointer: string) => Message,
): readonly [Message, Message] {
  const [first, second] = readList(value, `${pointer}/messages`, 2, read);
  return first && second ? [first, second] : refuse(`${pointer}/messages`, "two messages");
}

/** By ascending text, so that two nodes make the same evidence of the same messages. */
function inOrder<Message extends Vote | Proposal>(
  first: Message,
  second: Message,
): readonly [Message, Message] {
  return canonicalizeSigned(first) < canonicalizeSigned(second) ? [first, second] : [second, first];
}

function isContradiction(evidence: Evidence): boolean {
  const [first, second] = evidence.messages;
  if (first.height !== second.height || first.round !== second.round) return false;
  if (canonicalizeSigned(first) >= canonicalizeSigned(second)) return false;
  if (evidence.kind === "votes") {
    const [a, b] = evidence.messages;
    return a.validator === b.validator && a.step === b.step && a.block_hash !== b.block_hash;
  }
  const [a, b] = evidence.messages;
  const isSame = a.block_hash === b.block_hash && a.valid_round === b.valid_round;
  return a.proposer === b.proposer && !isSame;
}
