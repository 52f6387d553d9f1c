/** Bytes as text and back, with every length checked and nothing tolerated. */
import { AppError } from "../kernel/errors.ts";

function refuse(name: string, problem: string): never {
  throw new AppError("INVALID_ARGUMENT", `${name}: ${problem}`, { meta: { argument: name } });
}

/** Throws INVALID_ARGUMENT, naming the argument, unless `bytes` is a Uint8Array of exactly `length` bytes. */
export function checkLength(name: string, bytes: Uint8Array, length: number): Uint8Array {
  if (!(bytes instanceof Uint8Array)) refuse(name, "must be bytes");
  if (bytes.length !== length) refuse(name, `must have ${length} bytes, has ${bytes.length}`);
  return bytes;
}

/**
 * The same bytes as a plain Uint8Array. A Buffer must not leave this folder: its `slice` shares memory where
 * everybody expects a copy.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Writes bytes as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString("hex");
}

/** Reads lower-case hex; `length` in bytes where it is fixed. Throws INVALID_ARGUMENT. */
export function fromHex(name: string, hex: string, length?: number): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) refuse(name, "must be lower-case hex");
  const bytes = new Uint8Array(Buffer.from(hex, "hex"));
  return length === undefined ? bytes : checkLength(name, bytes, length);
}

/** Writes bytes as unpadded base64url (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  return view(bytes).toString("base64url");
}

/**
 * Reads unpadded base64url (RFC 4648 §5). Only the one canonical spelling is accepted: no padding, no other
 * alphabet, no bits set past the end. Throws INVALID_ARGUMENT.
 */
export function fromBase64Url(name: string, text: string, length?: number): Uint8Array {
  const decoded = Buffer.from(text, "base64url");
  if (decoded.toString("base64url") !== text) refuse(name, "must be unpadded base64url");
  const bytes = new Uint8Array(decoded);
  return length === undefined ? bytes : checkLength(name, bytes, length);
}

/** UTF-8 of a text. Lone surrogates become U+FFFD, as TextEncoder does. */
export function utf8(text: string): Uint8Array {
  return plainBytes(Buffer.from(text, "utf8"));
}

/** Length of a text in bytes of UTF-8. */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of UTF-8 bytes; a byte order mark stays. Throws INVALID_ARGUMENT for bytes that are not UTF-8. */
export function fromUtf8(name: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return refuse(name, "must be UTF-8");
  }
}

/** One run of bytes after the other. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return plainBytes(Buffer.concat(parts));
}

/** Whether two runs of bytes are equal. Not in constant time: for public values only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Order of two runs of bytes, as numbers from the first byte on: negative, 0 or positive. For public values only. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Bytes as a text with one character for each, U+0000 to U+00FF. For short runs: digests and keys. */
export function toLatin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Bytes of a text that `toLatin1` made. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
