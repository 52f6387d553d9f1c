/** What is signed or verified, as the command line names it. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fromHex, utf8 } from "../../../crypto/bytes.ts";
import { canonicalizeSigned } from "../../../crypto/canonical-json.ts";
import { HASH_BYTES } from "../../../crypto/hash.ts";
import { signBytes } from "../../../crypto/sign-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import { parseJson } from "../../../kernel/json.ts";
import type { Io } from "../../io.ts";

export interface MessageOptions {
  readonly message?: string;
  readonly file?: string;
  readonly document?: string;
  readonly realm?: string;
}

/** A message as it is, or a structured document, whose tag and realm say where it counts. */
export type Subject =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "document"; readonly payload: string; readonly realm: Uint8Array };

/** Largest file that is signed, in bytes: larger ones are hashed first. */
const MAX_FILE_BYTES = 1024 * 1024;

/** @throws AppError INVALID_ARGUMENT unless exactly one thing is named, INVALID_PAYLOAD for what cannot be signed */
export async function readSubject(io: Io, options: MessageOptions): Promise<Subject> {
  const { message, file, document, realm } = options;
  if ([message, file, document].filter((one) => one !== undefined).length !== 1) {
    throw new AppError("INVALID_ARGUMENT", "one of --message, --file and --document");
  }
  if ((document === undefined) !== (realm === undefined)) {
    throw new AppError("INVALID_ARGUMENT", "--document and --realm go together");
  }
  if (message !== undefined) return { kind: "message", bytes: utf8(message) };
  if (file !== undefined) return { kind: "message", bytes: await readBounded(io, file) };
  const text = new TextDecoder().decode(await readBounded(io, document ?? ""));
  const payload = canonicalizeSigned(parseJson(text));
  if (!payload.startsWith("{")) throw new AppError("INVALID_PAYLOAD", "a document is a JSON object");
  return { kind: "document", payload, realm: parseRealm(realm ?? "") };
}

/** Reads `--realm`. @throws AppError INVALID_ARGUMENT */
export function parseRealm(text: string): Uint8Array {
  return fromHex("--realm", text.toLowerCase(), HASH_BYTES);
}

/** The bytes that a signature over a subject covers. */
export function bytesOf(subject: Subject): Uint8Array {
  if (subject.kind === "message") return subject.bytes;
  return signBytes("document", subject.realm, subject.payload);
}

/** A file's bytes. @throws AppError INVALID_ARGUMENT when it cannot be read or is larger than 1 MiB */
export async function readBounded(io: Io, file: string): Promise<Uint8Array> {
  const path = resolve(io.cwd, file);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new AppError("INVALID_ARGUMENT", `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (bytes.length <= MAX_FILE_BYTES) return bytes;
  throw new AppError("INVALID_ARGUMENT", `${path} is larger than 1 MiB: sign its SHA-256 instead`);
}
