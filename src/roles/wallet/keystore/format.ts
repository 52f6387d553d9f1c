/**
 * A keystore file: one line of canonical JSON (RFC 8785) with a checksum over the rest. Each value has one spelling,
 * so that every changed bit shows; what is not secret can be read without the password.
 */
import { z } from "zod";
import { addressOfKey, isAddress } from "../../../crypto/address.ts";
import { ARGON2_SALT_BYTES } from "../../../crypto/argon2id.ts";
import { fromBase64Url, fromHex, fromUtf8, toBase64Url, utf8 } from "../../../crypto/bytes.ts";
import { canonicalize } from "../../../crypto/canonical-json.ts";
import { sha256Hex } from "../../../crypto/hash.ts";
import { AEAD_NONCE_BYTES } from "../../../crypto/xchacha20-poly1305.ts";
import { AppError } from "../../../kernel/errors.ts";
import { parseJson } from "../../../kernel/json.ts";
import type { JsonObject } from "../../../kernel/json-value.ts";
import { accountPath } from "../keys/derivation.ts";
import type { Account, Wallet } from "./keystore.ts";
import { WalletId } from "./wallet-id.ts";

/** Costs of new files (design §11). */
export const KDF_COSTS = { memoryKib: 64 * 1024, passes: 3, lanes: 1 } as const;

/** Weaker than OWASP's least for Argon2id (19 MiB, t = 2) is not worth opening … */
const MIN_MEMORY_KIB = 19 * 1024;
const MIN_PASSES = 2;
/** … and more than this would be a way to stop the machine. */
const MAX_MEMORY_KIB = 1024 * 1024;
const MAX_PASSES = 10;
const MAX_LANES = 4;

/** Accounts and watched addresses of a wallet, each: a list of them still is one answer. */
export const MAX_ACCOUNTS = 1000;
/** Characters of a label: a line on a terminal. */
const MAX_LABEL = 100;
/** Bytes of a wallet's metadata as canonical JSON. */
const MAX_METADATA_BYTES = 8192;
/** Bytes of a keystore file, far above what these limits allow. */
export const MAX_KEYSTORE_BYTES = 1024 * 1024;

const PublicKey = z.string().regex(/^[0-9a-f]{64}$/);
const Index = z.int().min(0).max(0x7fff_ffff);

/** Printable text of one line: it is shown on terminals. */
export const Label = z
  .string()
  .max(MAX_LABEL)
  .regex(/^\P{C}*$/u);

const Header = z.strictObject({
  format: z.literal("aitbc-keystore"),
  version: z.literal(1),
  wallet_id: WalletId,
  created_at: z.iso.datetime({ precision: 3 }),
  cipher: z.literal("xchacha20-poly1305"),
  kdf: z.strictObject({
    name: z.literal("argon2id"),
    memory_kib: z.int().min(MIN_MEMORY_KIB).max(MAX_MEMORY_KIB),
    passes: z.int().min(MIN_PASSES).max(MAX_PASSES),
    lanes: z.int().min(1).max(MAX_LANES),
    salt: z.string(),
  }),
  secret: z.enum(["phrase", "key"]),
  /** The first account's public key as receipts name it: unpadded base64url. */
  key_id: z.string(),
  public_key: PublicKey,
  metadata: z.record(z.string(), z.json()),
  accounts: z
    .array(z.strictObject({ index: Index, public_key: PublicKey, label: Label }))
    .min(1)
    .max(MAX_ACCOUNTS),
  watched: z.array(z.strictObject({ address: z.string().refine(isAddress), label: Label })).max(MAX_ACCOUNTS),
});

const KeystoreFile = z.strictObject({
  checksum: z.string(),
  ciphertext: z.string(),
  header: Header,
  nonce: z.string(),
});

/** What a file says openly, all of it bound to the password. */
export type Header = z.infer<typeof Header>;

/** A keystore file, read but not decrypted. */
export interface ParsedKeystore {
  readonly header: Header;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** Binds the header to the password: the associated data of the encryption. */
export function associatedData(header: Header): Uint8Array {
  return utf8(`aitbc/keystore/v1\0${canonicalize(header)}`);
}

/** Writes a keystore file. */
export function formatKeystore(header: Header, nonce: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const content = { ciphertext: toBase64Url(ciphertext), header, nonce: toBase64Url(nonce) };
  return utf8(`${canonicalize({ ...content, checksum: checksumOf(content) })}\n`);
}

/** Reads a keystore file. @throws AppError KEYSTORE_DAMAGED for anything that `formatKeystore` does not write. */
export function parseKeystore(bytes: Uint8Array): ParsedKeystore {
  try {
    return parse(bytes);
  } catch (cause) {
    throw damaged(cause);
  }
}

/** The one error of a file that cannot be trusted. */
export function damaged(cause?: unknown): AppError {
  const detail =
    cause instanceof KeystoreProblem
      ? `the keystore file cannot be used: ${cause.message}`
      : "the keystore file is damaged: it is not as it was written; restore it from a backup or the recovery phrase";
  return new AppError("KEYSTORE_DAMAGED", detail, { cause });
}

/** A file that is whole, but not one that this program may open. */
class KeystoreProblem extends Error {}

function parse(bytes: Uint8Array): ParsedKeystore {
  const text = fromUtf8("keystore", bytes);
  const document = parseJson(text, { maxBytes: MAX_KEYSTORE_BYTES });
  const { checksum, ...content } = z.looseObject({ checksum: z.string() }).parse(document);
  if (`${canonicalize(document)}\n` !== text || checksumOf(content as JsonObject) !== checksum) {
    throw new Error("the checksum does not fit");
  }
  const result = KeystoreFile.safeParse(document);
  if (!result.success) throw describe(result.error);
  const { header, nonce, ciphertext } = result.data;
  checkHeader(header);
  return {
    header,
    salt: fromBase64Url("salt", header.kdf.salt, ARGON2_SALT_BYTES),
    nonce: fromBase64Url("nonce", nonce, AEAD_NONCE_BYTES),
    ciphertext: fromBase64Url("ciphertext", ciphertext),
  };
}

function checksumOf(content: JsonObject | Omit<z.infer<typeof KeystoreFile>, "checksum">): string {
  return sha256Hex(canonicalize(content));
}

/** What a whole file has that is not allowed, by the member that says it. */
function describe({ issues }: z.ZodError): Error {
  const path = issues[0]?.path.join(".") ?? "";
  if (path.startsWith("header.kdf"))
    return new KeystoreProblem(`${path} is out of the range that is allowed`);
  if (path === "header.version")
    return new KeystoreProblem("it is of a version that this program does not know");
  return new KeystoreProblem(`${path} is not allowed`);
}

/** The members that repeat one another must agree. */
function checkHeader({ key_id, public_key, accounts, metadata }: Header): void {
  if (toBase64Url(fromHex("public_key", public_key)) !== key_id) throw new Error("key_id is of another key");
  if (accounts[0]?.public_key !== public_key) throw new Error("public_key is not of the first account");
  checkMetadata(metadata);
}

/** @throws AppError INVALID_ARGUMENT when a wallet's metadata is too large */
export function checkMetadata(metadata: JsonObject): void {
  if (utf8(canonicalize(metadata)).length <= MAX_METADATA_BYTES) return;
  throw new AppError("INVALID_ARGUMENT", `metadata may have ${MAX_METADATA_BYTES} bytes`, {
    meta: { argument: "metadata" },
  });
}

const addressOf = (publicKey: string): string => addressOfKey(fromHex("public_key", publicKey));

/** All accounts of a file: those with keys, then those that are only watched. */
export function accountsOf({ accounts, secret, watched }: Header): readonly Account[] {
  const own = accounts.map(({ index, public_key, label }): Account => {
    const kind = secret === "phrase" ? "derived" : "imported";
    const path = secret === "phrase" ? accountPath(index) : null;
    return { address: addressOf(public_key), public_key, kind, path, label };
  });
  const others = watched.map(
    ({ address, label }): Account => ({ address, public_key: null, kind: "watched", path: null, label }),
  );
  return [...own, ...others];
}

/** What anybody may know of a file. */
export function walletOf(header: Header): Wallet {
  const { wallet_id, public_key, created_at, secret, metadata } = header;
  const address = addressOf(public_key);
  return { wallet_id, public_key, address, created_at, secret, metadata, accounts: accountsOf(header) };
}
