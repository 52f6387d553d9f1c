import { describe, expect, it } from "vitest";
import { ConsensusBench, GENESIS_REALM } from "../../../test/harness/consensus.ts";
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { AppError } from "../../kernel/errors.ts";
import { type Block, formatBlock, parseBlock } from "./block.ts";
import { certificateHash, formatCertificate, parseCertificate, verifyCertificate } from "./certificate.ts";
import { findVoteEvidence, formatEvidence, parseEvidence, verifyEvidence } from "./evidence.ts";
import { headerHash } from "./header.ts";
import { formatProposal, parseProposal, verifyProposal } from "./proposal.ts";
import { formatVote, parseVote, verifyVote } from "./vote.ts";

const bench = new ConsensusBench(4, 0);
const HASH = "ab".repeat(32);
const certificate = bench.certificate([0, 1, 3], "precommit", 2, HASH);
const empty = bench.block();
const block: Block = {
  ...bench.block(0, { last_commit_hash: certificateHash(certificate) }, ['{"a":1}', "second"]),
  last_commit: certificate,
};
const MAX_BYTES = 10_000;

/** Every text that differs from this one in one bit. */
function* flipped(text: string): Iterable<string> {
  const bytes = Buffer.from(text, "latin1");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = Buffer.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield copy.toString("latin1");
  }
}

/** How many of the texts are accepted: read, and then verified. */
function countAccepted(texts: Iterable<string>, accepts: (text: string) => boolean): number {
  let accepted = 0;
  for (const text of texts) {
    try {
      if (accepts(text)) accepted++;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
  return accepted;
}

/** What the text is accepted by, and that it is refused with any bit flipped. */
function expectOnly(text: string, accepts: (text: string) => boolean): void {
  expect(accepts(text)).toBe(true);
  expect(countAccepted(flipped(text), accepts)).toBe(0);
}

const keyOfIndex = (index: number): Uint8Array => bench.keys[index]?.publicKey ?? new Uint8Array(32);

describe("one flipped bit is refused", () => {
  it("in a vote", () => {
    for (const hash of [HASH, null]) {
      expectOnly(formatVote(bench.vote(1, "prevote", 3, hash)), (text) => {
        const vote = parseVote(text);
        return vote.validator === bench.address(1) && verifyVote(vote, GENESIS_REALM, keyOfIndex(1));
      });
    }
  });

  it("in a proposal", () => {
    const { proposal } = bench.proposal(2, empty, 1);
    const index = bench.set.findIndex(proposal.proposer) ?? 0;
    expectOnly(formatProposal(proposal), (text) => {
      const parsed = parseProposal(text);
      return (
        parsed.proposer === proposal.proposer && verifyProposal(parsed, GENESIS_REALM, keyOfIndex(index))
      );
    });
  });

  it("in a certificate", () => {
    expectOnly(formatCertificate(certificate), (text) =>
      verifyCertificate(parseCertificate(text), bench.set, GENESIS_REALM),
    );
  });

  it("in a block: header, transactions, the certificate of the block below", () => {
    const hash = headerHash(block.header);
    expectOnly(formatBlock(block), (text) => headerHash(parseBlock(text, MAX_BYTES).header) === hash);
  });

  it("in evidence", () => {
    const evidence = findVoteEvidence(bench.vote(1, "prevote", 0, HASH), bench.vote(1, "prevote", 0, null));
    if (!evidence) throw new Error("no evidence");
    expectOnly(
      formatEvidence(evidence),
      (text) =>
        verifyEvidence(parseEvidence(text), GENESIS_REALM, keyOfIndex(1)) &&
        parseEvidence(text).messages.every((message) => JSON.stringify(message).includes(bench.address(1))),
    );
  });
});

describe("a document", () => {
  it("comes back as it was written", () => {
    expect(parseBlock(formatBlock(block), MAX_BYTES)).toEqual(block);
    expect(parseBlock(formatBlock(empty), MAX_BYTES)).toEqual(empty);
    expect(parseCertificate(formatCertificate(certificate))).toEqual(certificate);
  });

  it("is refused with one member more, or one less", () => {
    const vote = bench.vote(1, "prevote", 0, HASH);
    const { round: _round, ...less } = vote;
    expect(() => parseVote(canonicalizeSigned({ ...vote, z: 1 }))).toThrow("/z: expected no such member");
    expect(() => parseVote(formatVote(less as typeof vote))).toThrow("/round: expected a value");
  });

  it("is refused in another spelling", () => {
    const text = formatVote(bench.vote(1, "prevote", 0, HASH));
    expect(() => parseVote(text.replace("{", "{ "))).toThrow("canonical");
    const nil = formatVote(bench.vote(1, "prevote", 0, null));
    expect(() => parseVote(nil.replace("{", '{"block_hash":null,'))).toThrow();
  });

  it("is refused when it is too large", () => {
    expect(() => parseBlock(formatBlock(block), 100)).toThrow("longer than 100 bytes");
  });
});
