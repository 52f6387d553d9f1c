import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fromBase64Url, fromHex, toHex } from "../../src/crypto/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { parseBlock } from "../../src/domain/consensus/block.ts";
import {
  certificateHash,
  parseCertificate,
  verifyCertificate,
} from "../../src/domain/consensus/certificate.ts";
import { parseEvidence, verifyEvidence } from "../../src/domain/consensus/evidence.ts";
import { parseProposal, proposalSignBytes, verifyProposal } from "../../src/domain/consensus/proposal.ts";
import { type Validator, validatorSetOf } from "../../src/domain/consensus/validator-set.ts";
import { parseVote, verifyVote, voteSignBytes } from "../../src/domain/consensus/vote.ts";

interface SignedText {
  readonly text: string;
  readonly sign_bytes: string;
  readonly public_key: string;
}

interface Vectors {
  readonly realm: string;
  readonly validator_sets: readonly {
    readonly validators: readonly Validator[];
    readonly hash: string;
    readonly quorum: number;
    readonly faults: number;
    readonly proposers: readonly {
      readonly height: number;
      readonly round: number;
      readonly proposer: string;
    }[];
  }[];
  readonly votes: readonly SignedText[];
  readonly proposals: readonly SignedText[];
  readonly blocks: readonly {
    readonly text: string;
    readonly hash: string;
    readonly tx_root: string;
    readonly last_commit_hash: string;
  }[];
  readonly certificates: {
    readonly cases: readonly {
      readonly comment: string;
      readonly text: string;
      readonly hash: string;
      readonly valid: boolean;
    }[];
  };
  readonly evidence: readonly { readonly text: string; readonly public_key: string }[];
  readonly refused: { readonly votes: readonly string[]; readonly blocks: readonly string[] };
}

const FILE = join(import.meta.dirname, "../../protocols/vectors/consensus.json");
// The generated file is ours; each test reads the members it names.
const vectors = JSON.parse(readFileSync(FILE, "utf8")) as Vectors;
const realm = fromHex("realm", vectors.realm, 32);
const keyOf = (text: string): Uint8Array => fromBase64Url("public_key", text, 32);
const MAX_BYTES = 10_000;

describe("protocols/vectors/consensus.json", () => {
  it("has sets, quorums and proposers", () => {
    for (const { validators, hash, quorum, faults, proposers } of vectors.validator_sets) {
      const set = validatorSetOf(validators.map(({ public_key }) => public_key));
      expect(set).toMatchObject({ validators, hash, quorum, faults });
      for (const { height, round, proposer } of proposers) expect(set.proposer(height, round)).toBe(proposer);
    }
  });

  it("has votes and proposals with the bytes that are signed", () => {
    for (const { text, sign_bytes, public_key } of vectors.votes) {
      const vote = parseVote(text);
      expect(toHex(voteSignBytes(vote, realm))).toBe(sign_bytes);
      expect(verifyVote(vote, realm, keyOf(public_key))).toBe(true);
    }
    for (const { text, sign_bytes, public_key } of vectors.proposals) {
      const proposal = parseProposal(text);
      expect(toHex(proposalSignBytes(proposal, realm))).toBe(sign_bytes);
      expect(verifyProposal(proposal, realm, keyOf(public_key))).toBe(true);
    }
  });

  it("has blocks whose hash is that of the header's text", () => {
    for (const { text, hash, tx_root, last_commit_hash } of vectors.blocks) {
      const { header } = parseBlock(text, MAX_BYTES);
      expect(header).toMatchObject({ tx_root, last_commit_hash });
      const headerText = /"header":(\{[^}]*\})/.exec(text)?.[1] ?? "";
      expect(sha256Hex(headerText)).toBe(hash);
    }
  });

  it("has certificates that are valid, and others that are not", () => {
    const four = vectors.validator_sets.find(({ validators }) => validators.length === 4);
    const set = validatorSetOf(four?.validators.map(({ public_key }) => public_key) ?? []);
    for (const { comment, text, hash, valid } of vectors.certificates.cases) {
      const certificate = parseCertificate(text);
      expect(certificateHash(certificate)).toBe(hash);
      expect({ comment, valid: verifyCertificate(certificate, set, realm) }).toEqual({ comment, valid });
    }
  });

  it("has evidence, and texts that are refused", () => {
    for (const { text, public_key } of vectors.evidence) {
      expect(verifyEvidence(parseEvidence(text), realm, keyOf(public_key))).toBe(true);
    }
    for (const text of vectors.refused.votes) expect(() => parseVote(text)).toThrow();
    for (const text of vectors.refused.blocks) expect(() => parseBlock(text, MAX_BYTES)).toThrow();
  });
});
