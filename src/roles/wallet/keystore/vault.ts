import { ARGON2_SALT_BYTES, type Argon2id } from "../../../crypto/argon2id.ts";
import { equalBytes, fromHex, toBase64Url } from "../../../crypto/bytes.ts";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AEAD_NONCE_BYTES, seal, unseal } from "../../../crypto/xchacha20-poly1305.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { RandomBytes } from "../../../kernel/ids.ts";
import { WalletSecret } from "../keys/wallet-secret.ts";
import { associatedData, damaged, formatKeystore, type Header, KDF_COSTS, parseKeystore } from "./format.ts";

/** The members of a header that say what a wallet is; the others say how it is encrypted. */
export type WalletHeader = Omit<Header, "format" | "version" | "cipher" | "kdf">;

export interface VaultDeps {
  readonly argon2id: Argon2id;
  readonly random: RandomBytes;
}

/** Encrypts with a fresh salt and a fresh nonce, and gives the bytes of the file. */
export async function sealWallet(
  { argon2id, random }: VaultDeps,
  wallet: WalletHeader,
  secret: WalletSecret,
  password: SecretBytes,
): Promise<Uint8Array> {
  const salt = random(ARGON2_SALT_BYTES);
  const nonce = Uint8Array.from(random(AEAD_NONCE_BYTES));
  const { memoryKib, passes, lanes } = KDF_COSTS;
  const header: Header = {
    ...wallet,
    format: "aitbc-keystore",
    version: 1,
    cipher: "xchacha20-poly1305",
    kdf: { name: "argon2id", memory_kib: memoryKib, passes, lanes, salt: toBase64Url(salt) },
  };
  using key = new SecretBytes(await argon2id(password.bytes, salt, KDF_COSTS));
  using content = secret.encode();
  return formatKeystore(header, nonce, seal(key.bytes, nonce, content.bytes, associatedData(header)));
}

/**
 * Decrypts a file, and makes sure that its keys are those of its header. The caller disposes of the secret.
 * @throws AppError KEYSTORE_DAMAGED, INVALID_CREDENTIALS
 */
export async function openWallet(
  { argon2id }: Pick<VaultDeps, "argon2id">,
  file: Uint8Array,
  password: SecretBytes,
): Promise<{ readonly header: Header; readonly secret: WalletSecret }> {
  const { header, salt, nonce, ciphertext } = parseKeystore(file);
  const { memory_kib: memoryKib, passes, lanes } = header.kdf;
  using key = new SecretBytes(await argon2id(password.bytes, salt, { memoryKib, passes, lanes }));
  const opened = unseal(key.bytes, nonce, ciphertext, associatedData(header));
  if (opened === undefined) throw new AppError("INVALID_CREDENTIALS", "invalid credentials");
  using content = new SecretBytes(opened);
  const secret = WalletSecret.decode(content);
  if (secret === undefined) throw damaged();
  if (!(await isSecretOf(secret, header))) {
    secret[Symbol.dispose]();
    throw damaged();
  }
  return { header, secret };
}

async function isSecretOf(secret: WalletSecret, { secret: kind, public_key }: Header): Promise<boolean> {
  return secret.kind === kind && equalBytes(await secret.publicKey(0), fromHex("public_key", public_key));
}
