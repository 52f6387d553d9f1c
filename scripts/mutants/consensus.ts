import type { Mutant } from "./mutant.ts";

const CONSENSUS = "src/domain/consensus";

/** Faults of the consensus rules: a hundred seeds of the simulated chain must see each, or a test what is too rare. */
export const CONSENSUS_MUTANTS: readonly Mutant[] = [
  {
    name: "quorum-of-two-in-four",
    breaks: "two quorums share an honest validator",
    edits: [
      {
        file: `${CONSENSUS}/validator-set.ts`,
        find: "this.quorum = Math.floor((2 * count) / 3) + 1;",
        replace: "this.quorum = Math.floor((2 * count) / 3);",
      },
    ],
    check: simulated("conflicting final blocks"),
  },
  {
    name: "no-locking",
    breaks: "who precommitted a block prevotes no other one without a proof of lock",
    edits: [
      {
        file: `${CONSENSUS}/rules.ts`,
        find: "(isUnlocked || locked_hash === block_hash)",
        replace: '(isUnlocked || locked_hash !== "")',
      },
    ],
    check: simulated("an honest validator forgot its lock"),
  },
  {
    name: "sign-state-after-sending",
    breaks: "a vote is saved before it leaves",
    edits: [
      {
        file: `${CONSENSUS}/work.ts`,
        find: "[...stores, ...saves, ...this.#effects]",
        replace: "[...stores, ...this.#effects, ...saves]",
      },
    ],
    check: simulated("an honest validator said two things"),
  },
  {
    name: "timeouts-that-never-grow",
    breaks: "some round is long enough for any delay of the network",
    edits: [
      {
        file: `${CONSENSUS}/timing.ts`,
        find: "const growthMs = round * timing.growthMs;",
        replace: "const growthMs = 0 * round * timing.growthMs;",
      },
    ],
    check: simulated("no new block within 10 block times"),
  },
  {
    name: "locks-lost-in-a-crash",
    breaks: "a validator that comes back keeps to what it precommitted",
    edits: [
      {
        file: `${CONSENSUS}/resume.ts`,
        find: "const locks = { locked_round, locked_hash, valid_round, valid_hash, valid_proof };",
        replace: `void [locked_round, locked_hash];
  void [valid_round, valid_hash];
  const locks = { locked_round: -1, locked_hash: null, valid_round: -1, valid_hash: null, valid_proof: null };`,
      },
    ],
    check: simulated("an honest validator forgot its lock"),
  },
  {
    name: "proposed-again-without-proof",
    breaks: "a block that is proposed again brings the proof that a quorum prevoted it",
    edits: [
      {
        file: `${CONSENSUS}/rules.ts`,
        find: "  if (!isFresh && findProof(state, received.proposal) === null) return false;\n",
        replace: "  void findProof;\n",
      },
    ],
    check: simulated("an honest validator forgot its lock"),
  },
  {
    name: "locks-lost-in-a-rollback",
    breaks: "a validator whose blocks were rolled back keeps to what it precommitted",
    edits: [
      {
        file: `${CONSENSUS}/resume.ts`,
        find: "if (signState.height !== input.height) {",
        replace: "if (signState.height !== input.height || stored.length === 0) {",
      },
    ],
    check: {
      file: `${CONSENSUS}/resume.test.ts`,
      test: "a validator that comes back after a crash > keeps lock and place also where its blocks were rolled back, and it comes to the height anew",
    },
  },
  {
    name: "proof-with-an-unsaved-vote",
    breaks: "what was signed and neither saved nor sent does not come back",
    edits: [
      {
        file: `${CONSENSUS}/resume.ts`,
        find: "if (proof !== null && certificateHash(proof) === valid_proof) acceptCertificate",
        replace: "void [certificateHash, valid_proof];\n    if (proof !== null) acceptCertificate",
      },
    ],
    check: {
      file: `${CONSENSUS}/resume.test.ts`,
      test: "a validator that comes back after a crash > forgets what it signed and neither saved nor sent, also where it was stored within a proof",
    },
  },
  {
    name: "one-vote-hides-a-quorum",
    breaks: "a validator that votes two ways keeps no node from seeing a quorum",
    edits: [
      {
        file: `${CONSENSUS}/record.ts`,
        find: "  if (ballots.certificate === null) work.updateRound(round,",
        replace: "  if (ballots.certificate === null && round < 0) work.updateRound(round,",
      },
    ],
    check: {
      file: `${CONSENSUS}/receive.test.ts`,
      test: "equivocation > does not keep a quorum from being seen: the proof counts beside the vote that came first",
    },
  },
  {
    name: "restored-without-waiting",
    breaks: "a validator whose sign-state was lost does not vote where it may have voted",
    edits: [
      {
        file: `${CONSENSUS}/sign-state.ts`,
        find: "waiting: { since: now, final_blocks: 0 } };",
        replace: "waiting: now > 0 ? null : { since: now, final_blocks: 0 } };",
      },
    ],
    check: simulated("an honest validator said two things"),
  },
  {
    name: "votes-as-events",
    breaks: "what was lost is sent again",
    edits: [
      {
        file: `${CONSENSUS}/status.ts`,
        find: "  for (const vote of findVotesFor(work.state, status))",
        replace: "  for (const vote of findVotesFor(work.state, status).slice(99))",
      },
    ],
    check: simulated("no new block within 10 block times"),
  },
];

/** A hundred seeds, and what they must find. */
function simulated(prints: string): Mutant["check"] {
  return { args: ["scripts/sim/consensus.ts", "--seeds", "100", "--from", "1"], prints };
}
