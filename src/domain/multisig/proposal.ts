/**
 * What the signers of a multisig account pass around until enough of them have signed: the content, where it counts,
 * and the signatures so far. Combined, the content carries its signatures as a transaction of the ledger does.
 */
import { MAX_MULTISIG_SIGNERS } from "../../crypto/address.ts";
import { equalBytes, fromBase64Url, fromHex, toBase64Url, toHex } from "../../crypto/bytes.ts";
import { type Canonicalizable, canonicalizeSigned, parseStrictJson } from "../../crypto/canonical-json.ts";
import { SIGNATURE_BYTES, verify } from "../../crypto/ed25519.ts";
import { HASH_BYTES } from "../../crypto/hash.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";
import { AppError } from "../../kernel/errors.ts";
import {
  HASH,
  readInteger,
  readList,
  readMembers,
  readOneOf,
  readText,
  refuse,
  SIGNATURE,
} from "../consensus/read.ts";
import { MAX_TRANSACTION_BYTES, type Multisig, parseTransactionContent } from "../ledger/transaction.ts";
import { type ReadPolicy, readPolicy } from "./policy.ts";

/** Kinds of content: a document of any kind, or a transaction of the chain. */
export const CONTENT_TYPES = ["document", "tx"] as const;
export type ContentType = (typeof CONTENT_TYPES)[number];

/** Longest proposal, in bytes: the longest transaction, and signatures of all signers. */
const MAX_PROPOSAL_BYTES = 2 * MAX_TRANSACTION_BYTES;

type Content = { readonly [name: string]: Canonicalizable };

/** One signer's signature. `signer`: place of the key in the account's list, from 0. */
export interface PartialSignature {
  readonly signer: number;
  readonly signature: Uint8Array;
}

/** A content with the signatures that it has so far, all of them verified. */
export interface Proposal extends ReadPolicy {
  readonly type: ContentType;
  /** 32 bytes: where the signatures count. */
  readonly realm: Uint8Array;
  readonly content: Content;
  /** Canonical text of the content: what is signed. */
  readonly text: string;
  /** By signer, ascending. */
  readonly signatures: readonly PartialSignature[];
}

/** Proposes a document to the signers of an account. @throws AppError INVALID_PAYLOAD for what cannot be signed */
export function proposeDocument(policy: Multisig, document: Content, realm: Uint8Array): Proposal {
  return createProposal("document", { v: 1, multisig: policy, document }, realm, []);
}

/** Proposes a transaction, which names its multisig account itself. @throws AppError INVALID_PAYLOAD */
export function proposeTransaction(transaction: Content, realm: Uint8Array): Proposal {
  return createProposal("tx", transaction, realm, []);
}

/** Writes a proposal: canonical JSON. */
export function formatProposal({ type, realm, content, signatures }: Proposal): string {
  return canonicalizeSigned({ v: 1, type, realm: toHex(realm), content, signatures: toJson(signatures) });
}

/**
 * Reads a proposal, however it is indented, and verifies the signatures in it.
 * @throws AppError INVALID_PAYLOAD, INVALID_SIGNATURE, or as the JSON parser does
 */
export function parseProposal(text: string): Proposal {
  const value = parseStrictJson(text, { maxBytes: MAX_PROPOSAL_BYTES });
  const members = readMembers(value, "", ["v", "type", "realm", "content", "signatures"]);
  readOneOf(members.v, "/v", [1]);
  return createProposal(
    readOneOf(members.type, "/type", CONTENT_TYPES),
    readContent(members.content, "/content"),
    fromHex("realm", readText(members.realm, "/realm", HASH), HASH_BYTES),
    readSignatures(members.signatures),
  );
}

/**
 * Adds a signature by one of the account's keys; one that is there already stays.
 * @throws AppError INVALID_SIGNATURE when it does not hold, or the key is none of the account's
 */
export function addSignature(proposal: Proposal, publicKey: Uint8Array, signature: Uint8Array): Proposal {
  const signer = proposal.keys.findIndex((key) => equalBytes(key, publicKey));
  if (signer < 0) throw new AppError("INVALID_SIGNATURE", "the key is none of this account's signers");
  return createProposal(
    proposal.type,
    proposal.content,
    proposal.realm,
    merge([...proposal.signatures, { signer, signature }]),
  );
}

/**
 * Puts together what several signers have signed.
 * @throws AppError INVALID_ARGUMENT when the proposals are not of the same content
 */
export function mergeProposals(proposals: readonly Proposal[]): Proposal {
  const [first] = proposals;
  if (first === undefined) throw new AppError("INVALID_ARGUMENT", "there is no proposal to combine");
  for (const { type, realm, text } of proposals) {
    if (type !== first.type || text !== first.text || !equalBytes(realm, first.realm)) {
      throw new AppError("INVALID_ARGUMENT", "the proposals are of different contents");
    }
  }
  return { ...first, signatures: merge(proposals.flatMap(({ signatures }) => signatures)) };
}

/**
 * The content with as many signatures as its account needs, those of the first signers: for a transaction the text
 * that a node takes. @throws AppError INVALID_SIGNATURE when signatures are missing
 */
export function combineProposal({ content, policy, signatures }: Proposal): string {
  if (signatures.length < policy.threshold) {
    const missing = policy.threshold - signatures.length;
    throw new AppError(
      "INVALID_SIGNATURE",
      `${policy.threshold} signatures are needed: ${missing} ${missing === 1 ? "is" : "are"} missing`,
    );
  }
  return canonicalizeSigned({ ...content, signatures: toJson(signatures.slice(0, policy.threshold)) });
}

/**
 * Verifies a combined content: exactly as many signatures as the account needs, by different signers, all of which
 * hold. @throws AppError INVALID_SIGNATURE, INVALID_PAYLOAD, or as the JSON parser does
 */
export function verifyCombined(type: ContentType, realm: Uint8Array, text: string): Proposal {
  const value = parseStrictJson(text, { maxBytes: MAX_PROPOSAL_BYTES });
  const { signatures, ...content } = readContent(value, "");
  const proposal = createProposal(type, content, realm, readSignatures(signatures));
  // Anything else (one more, another order) is another text for the same.
  if (
    proposal.signatures.length > proposal.policy.threshold ||
    combineProposal(proposal) !== text.trimEnd()
  ) {
    throw new AppError("INVALID_SIGNATURE", "it is not as a combined document is written");
  }
  return proposal;
}

function createProposal(
  type: ContentType,
  content: Content,
  realm: Uint8Array,
  signatures: readonly PartialSignature[],
): Proposal {
  const text = canonicalizeSigned(content);
  const read = type === "tx" ? readTransaction(content, text) : readDocument(content);
  for (const { signer, signature } of signatures) {
    const key = read.keys[signer];
    if (key === undefined || !verify(signature, signBytes(type, realm, text), key)) {
      throw new AppError("INVALID_SIGNATURE", `the signature of signer ${signer} does not hold`);
    }
  }
  return { type, realm, content, text, ...read, signatures };
}

function readTransaction(content: Content, text: string): ReadPolicy {
  // The ledger's own rules, all but the signatures.
  parseTransactionContent(text);
  if ("signature" in content || "signatures" in content)
    refuse("/content", "a transaction without signatures");
  return readPolicy(content["multisig"], "/content/multisig");
}

function readDocument(content: Content): ReadPolicy {
  const members = readMembers(content, "/content", ["v", "multisig", "document"]);
  readOneOf(members.v, "/content/v", [1]);
  readContent(members.document, "/content/document");
  return readPolicy(members.multisig, "/content/multisig");
}

function readContent(value: unknown, pointer: string): Content {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(pointer, "an object");
  // Parsed JSON; `canonicalizeSigned` refuses what a signed document cannot hold.
  return value as Content;
}

function readSignatures(value: unknown): readonly PartialSignature[] {
  let last = -1;
  return readList(value, "/signatures", MAX_MULTISIG_SIGNERS, (item, pointer) => {
    const members = readMembers(item, pointer, ["signer", "signature"]);
    last = readInteger(members.signer, `${pointer}/signer`, last + 1);
    const text = readText(members.signature, `${pointer}/signature`, SIGNATURE);
    return { signer: last, signature: fromBase64Url("signature", text, SIGNATURE_BYTES) };
  });
}

/** One signature a signer, in their order. */
function merge(signatures: readonly PartialSignature[]): readonly PartialSignature[] {
  const bySigner = new Map(signatures.map((one) => [one.signer, one]));
  return [...bySigner.values()].sort((a, b) => a.signer - b.signer);
}

function toJson(signatures: readonly PartialSignature[]): Canonicalizable {
  return signatures.map(({ signer, signature }) => ({ signer, signature: toBase64Url(signature) }));
}
