/** Test vectors of `src/domain/consensus`: validator sets, votes, proposals, blocks, certificates, evidence. */
import { toBase64Url, toHex } from "../../src/crypto/bytes.ts";
import type { Canonicalizable } from "../../src/crypto/canonical-json.ts";
import { type Block, formatBlock, textsRoot } from "../../src/domain/consensus/block.ts";
import {
  type Certificate,
  certificateHash,
  formatCertificate,
} from "../../src/domain/consensus/certificate.ts";
import {
  findProposalEvidence,
  findVoteEvidence,
  formatEvidence,
} from "../../src/domain/consensus/evidence.ts";
import { headerHash } from "../../src/domain/consensus/header.ts";
import { formatProposal, proposalSignBytes } from "../../src/domain/consensus/proposal.ts";
import { ValidatorSet } from "../../src/domain/consensus/validator-set.ts";
import { formatVote, type Vote, voteSignBytes } from "../../src/domain/consensus/vote.ts";
import { ConsensusBench, GENESIS_REALM, keysInOrder } from "../../test/harness/consensus.ts";

const bench = new ConsensusBench(4, null);
const certificate = bench.certificate([0, 1, 3], "precommit", 2, headerHash(bench.block().header));

/** A block with transactions, on top of one that a certificate made final. */
const full: Block = {
  ...bench.block(0, { height: 2, last_commit_hash: certificateHash(certificate) }, [
    '{"a":1}',
    '{"b":"\\""}',
  ]),
  last_commit: certificate,
};

export function consensusVectors(): Canonicalizable {
  return {
    about:
      "realm: the genesis hash, hex. text: canonical, as it is sent. Signatures: Ed25519 over sign_bytes (hex), " +
      "which are aitbc/vote/v1 or aitbc/proposal/v1, a zero byte, the realm, and the text without signature.",
    realm: toHex(GENESIS_REALM),
    validator_sets: [1, 2, 3, 4, 7, 10].map(validatorSet),
    votes: votes(),
    proposals: proposals(),
    blocks: [bench.block(), full].map(block),
    certificates: certificates(),
    evidence: evidence(),
    refused: refused(),
  };
}

function validatorSet(size: number): Canonicalizable {
  const keys = keysInOrder(size).map(({ publicKey }) => publicKey);
  const set = new ValidatorSet(keys);
  return {
    about: "validators by ascending address; hash: SHA-256 of the canonical {validators}",
    validators: set.validators,
    hash: set.hash,
    quorum: set.quorum,
    faults: set.faults,
    proposers: [0, 1, 2, 3].map((round) => ({
      height: 1_000_000,
      round,
      proposer: set.proposer(1_000_000, round),
    })),
  };
}

const publicKeyAt = (index: number): string =>
  bench.set.validators[index]?.public_key ?? toBase64Url(new Uint8Array(32));

function votes(): Canonicalizable {
  const hash = headerHash(full.header);
  const cast: readonly Vote[] = [
    bench.vote(0, "prevote", 0, hash),
    bench.vote(1, "precommit", 7, hash),
    bench.vote(2, "prevote", 1, null, 9),
  ];
  return cast.map((vote, index) => ({
    text: formatVote(vote),
    sign_bytes: toHex(voteSignBytes(vote, GENESIS_REALM)),
    public_key: publicKeyAt(index),
  }));
}

function proposals(): Canonicalizable {
  const made = [bench.proposal(0, full), bench.proposal(3, full, 1)].map(({ proposal }) => proposal);
  return made.map((proposal) => ({
    text: formatProposal(proposal),
    sign_bytes: toHex(proposalSignBytes(proposal, GENESIS_REALM)),
    public_key: publicKeyAt(bench.set.findIndex(proposal.proposer) ?? 0),
  }));
}

function block(one: Block): Canonicalizable {
  return {
    about: "hash: SHA-256 of the canonical header; tx_root: RFC 6962 over the transactions' texts",
    text: formatBlock(one),
    hash: headerHash(one.header),
    tx_root: textsRoot(one.transactions),
    last_commit_hash: certificateHash(one.last_commit),
  };
}

function certificates(): Canonicalizable {
  const [first, second, third] = certificate.signatures;
  if (!first || !second || !third) throw new Error("three signatures");
  const case_ = (comment: string, one: Certificate, valid: boolean): Canonicalizable => ({
    comment,
    text: formatCertificate(one),
    hash: certificateHash(one),
    valid,
  });
  return {
    about: "valid: under the validator set of four",
    cases: [
      case_("a quorum of three", certificate, true),
      case_("all four", bench.certificate([0, 1, 2, 3], "precommit", 2, certificate.block_hash), true),
      case_("a proof of lock", bench.certificate([1, 2, 3], "prevote", 0, certificate.block_hash), true),
      case_("two of four", { ...certificate, signatures: [first, second] }, false),
      case_("one counted twice", { ...certificate, signatures: [first, second, second] }, false),
      case_("not in the order of addresses", { ...certificate, signatures: [second, first, third] }, false),
      case_("votes of another round", { ...certificate, round: 3 }, false),
      case_("votes of another step", { ...certificate, step: "prevote" }, false),
    ],
  };
}

function evidence(): Canonicalizable {
  const hash = headerHash(full.header);
  const double = findVoteEvidence(bench.vote(1, "prevote", 2, hash), bench.vote(1, "prevote", 2, null));
  const other = bench.proposal(0, bench.block(0, { height: 2, time: full.header.time + 1 })).proposal;
  const twice = findProposalEvidence(bench.proposal(0, full).proposal, other);
  if (!double || !twice) throw new Error("no evidence");
  const proposer = bench.set.findIndex(other.proposer) ?? 0;
  return [
    { text: formatEvidence(double), public_key: publicKeyAt(1) },
    { text: formatEvidence(twice), public_key: publicKeyAt(proposer) },
  ];
}

/** Texts that no reader may take, though each is JSON. */
function refused(): Canonicalizable {
  const vote = formatVote(bench.vote(0, "prevote", 0, null));
  return {
    votes: [
      vote.replace("{", "{ "),
      vote.replace('"v":1', '"v":2'),
      vote.replace('"round":0', '"round":-1'),
      vote.replace('"round":0', '"round":0,"rounds":0'),
      vote.replace("prevote", "commit"),
    ],
    blocks: [
      formatBlock({ ...full, transactions: full.transactions.toReversed() }),
      formatBlock({ ...full, last_commit: null }),
      formatBlock({ ...full, header: { ...full.header, height: 0 } }),
    ],
  };
}
