import { addressOfKey } from "../../../crypto/address.ts";
import { fromBase64Url, fromHex, toHex } from "../../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify } from "../../../crypto/ed25519.ts";
import { AppError, EXIT } from "../../../kernel/errors.ts";
import { parseJson } from "../../../kernel/json.ts";
import type { JsonObject } from "../../../kernel/json-value.ts";
import { wallet } from "../../../roles/wallet/index.ts";
import { formatRecord, printResult } from "../../format.ts";
import { type Io, toSafeText, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { painter } from "../../style.ts";
import { bytesOf, type MessageOptions, readSubject, type Subject } from "./message.ts";
import { openKeystore } from "./open.ts";
import { type PasswordOptions, readPassword, readSecret } from "./secrets.ts";

export interface SignOptions extends GlobalOptions, PasswordOptions, MessageOptions {
  readonly account?: string;
  readonly raw?: boolean;
  readonly sessionFile?: string;
  readonly walletUrl?: string;
}

/**
 * Signs a message or a document: with the password in this process, or in an unlock session of the daemon. What is
 * signed is shown first.
 */
export async function signWithWallet(io: Io, walletId: string, options: SignOptions): Promise<void> {
  const { checkRawMessage, printableText } = await wallet.loadOffline();
  const subject = await readSubject(io, options);
  if (subject.kind === "message") checkRawMessage(subject.bytes);
  show(io, subject, options.raw === true, printableText);
  const sign = options.sessionFile === undefined ? signHere : signInSession;
  const { public_key, signature } = await sign(io, walletId, subject, options);
  const value = { public_key, signature: toHex(signature) };
  await printResult(io, options.output ?? "table", value, () => formatRecord(Object.entries(value)));
}

interface Signed {
  readonly public_key: string;
  readonly signature: Uint8Array;
}

async function signHere(io: Io, walletId: string, subject: Subject, options: SignOptions): Promise<Signed> {
  const { AccountSigner } = await wallet.loadOffline();
  const keystore = await openKeystore(io, options);
  using password = await readPassword(io, options);
  const signer = await AccountSigner.open(keystore, walletId, password);
  const { account } = options;
  const signature =
    subject.kind === "message"
      ? await signer.signMessage(subject.bytes, account)
      : await signer.signDocument({ ...subject, type: "document" }, account);
  const address = account ?? signer.wallet.address;
  const { public_key } = signer.wallet.accounts.find((one) => one.address === address) ?? signer.wallet;
  return { public_key: public_key ?? signer.wallet.public_key, signature };
}

async function signInSession(
  io: Io,
  walletId: string,
  subject: Subject,
  options: SignOptions,
): Promise<Signed> {
  const { openWalletClient } = await import("./daemon.ts");
  const client = await openWalletClient(io, options);
  using token = await readSecret(
    io,
    { file: options.sessionFile, options: "--session-file FILE" },
    "Session: ",
  );
  const proof = {
    session_token: new TextDecoder().decode(token.bytes),
    ...(options.account !== undefined && { address: options.account }),
  };
  const { public_key, signature_base64 } =
    subject.kind === "message"
      ? await client.signMessage(walletId, { ...proof, message_base64: toBase64(subject.bytes) })
      : await client.signDocument(walletId, {
          ...proof,
          realm: toHex(subject.realm),
          // Canonical JSON of an object, as `readSubject` made sure.
          document: parseJson(subject.payload) as JsonObject,
        });
  return { public_key, signature: Buffer.from(signature_base64, "base64") };
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** Shows printable text as it is; other bytes only go through with --raw. */
function show(
  io: Io,
  subject: Subject,
  raw: boolean,
  printableText: (message: Uint8Array) => string | undefined,
): void {
  const text = subject.kind === "document" ? subject.payload : printableText(subject.bytes);
  if (text === undefined && !raw) {
    throw new AppError(
      "SIGNING_REFUSED",
      "the message is not text that can be shown; --raw signs its bytes as they are",
    );
  }
  const bytes = subject.kind === "message" ? `a message (${subject.bytes.length} B)` : "a document";
  writeLine(io.stderr, text === undefined ? `signing ${bytes} that cannot be shown` : `signing ${bytes}:`);
  if (text !== undefined) writeLine(io.stderr, text);
}

export interface VerifyOptions extends GlobalOptions, MessageOptions {
  readonly publicKey: string;
  readonly signature: string;
  readonly address?: string;
}

/** Verifies a signature offline: exit code 0 when it holds. */
export async function verifySignature(io: Io, options: VerifyOptions): Promise<number> {
  const publicKey = decode("--public-key", options.publicKey, PUBLIC_KEY_BYTES);
  const signature = decode("--signature", options.signature, SIGNATURE_BYTES);
  const subject = await readSubject(io, options);
  const address = addressOfKey(publicKey);
  const ofAddress = options.address === undefined || options.address === address;
  const valid = ofAddress && verify(signature, bytesOf(subject), publicKey);
  const paint = painter(io.stdout, io.env);
  await printResult(io, options.output ?? "table", { valid, address }, () => {
    if (valid) return paint("green", toSafeText(`VALID: signed by the key of ${address}`));
    return paint(
      "red",
      ofAddress ? "INVALID: the signature does not hold" : `INVALID: the key is of ${address}`,
    );
  });
  return valid ? 0 : EXIT.receiptInvalid;
}

/** Bytes of a fixed length as hex, base64 or base64url. @throws AppError INVALID_ARGUMENT */
export function decode(option: string, text: string, length: number): Uint8Array {
  if (text.length === 2 * length && /^[0-9a-fA-F]+$/.test(text)) return fromHex(option, text.toLowerCase());
  const url = text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  try {
    return fromBase64Url(option, url, length);
  } catch (cause) {
    throw new AppError("INVALID_ARGUMENT", `${option} must be ${length} bytes as hex or base64`, { cause });
  }
}
