/** Blocks: a header, the transactions it commits to, and the certificate of the block below. */
import { toHex, utf8 } from "../../crypto/bytes.ts";
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { merkleRoot } from "../../crypto/merkle.ts";
import { type Certificate, certificateHash, readCertificate } from "./certificate.ts";
import { type Header, readHeader } from "./header.ts";
import { readList, readMembers, readText, refuse } from "./read.ts";

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Block = {
  readonly header: Header;
  /** Canonical text of each transaction. Consensus orders them and looks at nothing inside. */
  readonly transactions: readonly string[];
  /** Certificate of the block below; null, and left out in the canonical form, at height 1. */
  readonly last_commit: Certificate | null;
};

/** A block and the proof that it is final. */
export type FinalBlock = {
  readonly block: Block;
  /** Of precommits. */
  readonly certificate: Certificate;
};

/** Most transactions of a block: the smallest one is longer than 16 bytes, and a block fits one frame of 1 MiB. */
const MAX_TRANSACTIONS = 65_536;

const TRANSACTION = /^[\x20-\x7e]+$/;

/** Merkle root (RFC 6962, hex) over the UTF-8 of texts, such as transactions. */
export function textsRoot(texts: readonly string[]): string {
  return toHex(merkleRoot(texts.map(utf8)));
}

/** Whether the header commits to exactly these transactions and this certificate of the block below. */
function isConsistent({ header, transactions, last_commit }: Block): boolean {
  return (
    header.tx_root === textsRoot(transactions) && header.last_commit_hash === certificateHash(last_commit)
  );
}

/** Text of a block: ASCII, so its length is its size in bytes. */
export function formatBlock(block: Block): string {
  return canonicalizeSigned(block);
}

/**
 * Reads a block's text, which must be canonical and consistent. `maxBytes`: the chain's max_block_bytes. Throws
 * INVALID_PAYLOAD, PAYLOAD_TOO_LARGE, or as the JSON parser does.
 */
export function parseBlock(text: string, maxBytes: number): Block {
  return readBlock(parseCanonical(text, { maxBytes }));
}

/** Reads a block from parsed JSON, its header against its content too. Throws INVALID_PAYLOAD. */
function readBlock(value: unknown, pointer = ""): Block {
  const names = ["header", "transactions", "last_commit"] as const;
  const members = readMembers(value, pointer, names, ["last_commit"]);
  const { last_commit } = members;
  const block: Block = {
    header: readHeader(members.header, `${pointer}/header`),
    transactions: readList(
      members.transactions,
      `${pointer}/transactions`,
      MAX_TRANSACTIONS,
      readTransaction,
    ),
    last_commit: last_commit === undefined ? null : readCertificate(last_commit, `${pointer}/last_commit`),
  };
  if (!isConsistent(block)) refuse(`${pointer}/header`, "the hashes of this block's content");
  return block;
}

function readTransaction(value: unknown, pointer: string): string {
  return readText(value, pointer, TRANSACTION);
}
