/** Content that is sent from files and received into files, whole or not at all, without keeping it in memory. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../kernel/errors.ts";
import {
  ArtifactPage,
  ArtifactView,
  deleteArtifact,
  digestOf,
  getArtifact,
  listArtifacts,
  putArtifact,
} from "../wire/artifacts.ts";
import { MAX_OUTPUT_BYTES } from "../wire/limits.ts";
import { unreachableError } from "./failure.ts";
import type { Transport } from "./transport.ts";

/** Slowest upload that is waited for, in bytes a second: servers cut off slower ones. */
const LEAST_BYTES_PER_SECOND = 16 * 1024;
/** What an upload may take beside that, in ms. */
const UPLOAD_GRACE_MS = 60_000;
/** How often a download whose connection breaks goes on where it was, without a new byte in between. */
const MAX_RESUMES = 5;
const RESUME_WAIT_MS = 500;
const MS_PER_SECOND = 1000;
const PARTIAL = 206;
/** Digits of the name in the name of an unfinished file. */
const NAME_DIGITS = 16;

export interface TransferOptions {
  readonly signal?: AbortSignal;
  /** Hears how many bytes of how many are there; of a download undefined until it is known. */
  readonly onProgress?: (bytes: number, total: number | undefined) => void;
}

export interface Downloaded {
  readonly sha256: string;
  readonly size_bytes: number;
  /** Where the file is. */
  readonly file: string;
}

/** The artifacts of a daemon. */
export interface ArtifactCalls {
  /**
   * Uploads a file. Its SHA-256 is announced, so that what arrives otherwise is refused.
   * @throws AppError INVALID_ARGUMENT for a file that cannot be read or is none, LIMIT_EXCEEDED, PAYLOAD_TOO_LARGE, …
   */
  put(file: string, mediaType: string, options?: TransferOptions): Promise<ArtifactView>;
  /**
   * Downloads into a file, which has its name only when it is whole and its SHA-256 is right. What an earlier
   * call left unfinished beside it is gone on with.
   * @throws AppError ARTIFACT_NOT_FOUND, PROTOCOL_VIOLATION for other content, INVALID_ARGUMENT for the file
   */
  get(reference: string, file: string, options?: TransferOptions): Promise<Downloaded>;
  /** Content that fits into memory, as far as outputs of jobs do. @throws AppError as above, PAYLOAD_TOO_LARGE */
  read(reference: string, options?: TransferOptions): Promise<Buffer>;
  list(query: { cursor?: string; limit?: number }, options?: TransferOptions): Promise<ArtifactPage>;
  delete(reference: string, options?: TransferOptions): Promise<ArtifactView>;
}

export function createArtifactCalls(transport: Transport): ArtifactCalls {
  return {
    put: (file, mediaType, options = {}) => upload(transport, file, mediaType, options),
    get: (reference, file, options = {}) => download(transport, getDigest(reference), file, options),
    read: (reference, options = {}) => read(transport, getDigest(reference), options),
    list: (query, { signal } = {}) => transport.call(listArtifacts, ArtifactPage, { query, signal }),
    delete: (reference, { signal } = {}) =>
      transport.call(deleteArtifact, ArtifactView, { params: { sha256: getDigest(reference) }, signal }),
  };
}

function getDigest(reference: string): string {
  const sha256 = digestOf(reference);
  if (sha256 !== undefined) return sha256;
  throw new AppError("INVALID_ARGUMENT", `${reference}: an artifact is named by 64 lower-case hex digits`);
}

async function upload(
  transport: Transport,
  file: string,
  mediaType: string,
  { signal, onProgress }: TransferOptions,
): Promise<ArtifactView> {
  const found = await stat(file).catch((cause: unknown) => fileFailed(file, cause));
  if (!found.isFile()) throw new AppError("INVALID_ARGUMENT", `${file} is no file`);
  const sha256 = await hashFile(file).catch((cause: unknown) => fileFailed(file, cause));
  return transport.call(putArtifact, ArtifactView, {
    headers: {
      "content-type": mediaType,
      "content-length": String(found.size),
      "x-content-sha256": sha256,
    },
    content: toStream(countedFile(file, found.size, onProgress)),
    timeoutMs: UPLOAD_GRACE_MS + (found.size / LEAST_BYTES_PER_SECOND) * MS_PER_SECOND,
    signal,
  });
}

async function* countedFile(
  file: string,
  total: number,
  onProgress: TransferOptions["onProgress"],
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  // A file that grows meanwhile is sent as it was hashed; one that shrinks breaks off.
  for await (const part of createReadStream(file, { end: Math.max(0, total - 1) })) {
    bytes += (part as Uint8Array).length;
    onProgress?.(bytes, total);
    yield part as Uint8Array;
  }
}

function toStream(parts: AsyncGenerator<Uint8Array, void, void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await parts.return();
    },
  });
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Uint8Array);
  return hash.digest("hex");
}

async function download(
  transport: Transport,
  sha256: string,
  file: string,
  options: TransferOptions,
): Promise<Downloaded> {
  const partial = `${file}.${sha256.slice(0, NAME_DIGITS)}.part`;
  const handle = await open(partial, "a+").catch((cause: unknown) => fileFailed(partial, cause));
  try {
    const hash = createHash("sha256");
    let size_bytes = 0;
    for await (const part of handle.createReadStream({ start: 0, autoClose: false })) {
      hash.update(part as Uint8Array);
      size_bytes += (part as Uint8Array).length;
    }
    size_bytes = await receive(transport, sha256, { handle, hash, bytes: size_bytes }, options);
    await handle.sync();
    if (hash.digest("hex") !== sha256) {
      await unlink(partial);
      throw otherContent(sha256);
    }
    await rename(partial, file).catch((cause: unknown) => fileFailed(file, cause));
    return { sha256, size_bytes, file };
  } finally {
    await handle.close();
    // Nothing came: there is nothing to go on with.
    const left = await stat(partial).catch(() => undefined);
    if (left?.size === 0) await unlink(partial);
  }
}

/** What is there of a download. */
interface Target {
  readonly handle: FileHandle;
  readonly hash: Hash;
  readonly bytes: number;
}

/** Receives the rest of the content; goes on where a broken connection left it. Its size in bytes. */
async function receive(
  transport: Transport,
  sha256: string,
  { handle, hash, bytes: before }: Target,
  { signal, onProgress }: TransferOptions,
): Promise<number> {
  let bytes = before;
  for (let tries = 0; ; tries++) {
    const began = bytes;
    try {
      const { body, total } = await openFrom(transport, sha256, bytes, signal);
      for await (const part of body) {
        hash.update(part);
        await handle.appendFile(part);
        bytes += part.length;
        onProgress?.(bytes, total);
      }
      if (bytes >= (total ?? bytes)) return bytes;
      throw unreachableError(transport.url, new Error("the download broke off"));
    } catch (cause) {
      if (signal?.aborted) throw new AppError("INTERRUPTED", "interrupted; call again to go on", { cause });
      const error = cause instanceof AppError ? cause : unreachableError(transport.url, cause);
      if (bytes > began) tries = 0;
      if (error.code !== "UNREACHABLE" || tries >= MAX_RESUMES) throw error;
      await sleep(RESUME_WAIT_MS, undefined, signal ? { signal } : {});
    }
  }
}

interface Rest {
  readonly body: AsyncIterable<Uint8Array>;
  readonly total: number | undefined;
}

/** Opens the content from a byte on. Nothing comes where all of it is there. */
async function openFrom(
  transport: Transport,
  sha256: string,
  from: number,
  signal: AbortSignal | undefined,
): Promise<Rest> {
  const headers: Record<string, string> =
    from > 0 ? { range: `bytes=${from}-`, "if-range": `"${sha256}"` } : {};
  try {
    const response = await transport.open(getArtifact, { params: { sha256 }, headers, signal });
    if (from > 0 && response.status !== PARTIAL) {
      await response.body?.cancel();
      throw new AppError("PROTOCOL_VIOLATION", "the server does not send parts of an artifact; start anew");
    }
    const length = response.headers.get("content-length");
    return { body: response.body ?? none(), total: length === null ? undefined : from + Number(length) };
  } catch (error) {
    if (from === 0 || !(error instanceof AppError) || error.code !== "RANGE_NOT_SATISFIABLE") throw error;
    return { body: none(), total: from };
  }
}

async function* none(): AsyncGenerator<Uint8Array, void, void> {}

async function read(transport: Transport, sha256: string, { signal }: TransferOptions): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const { body } = await openFrom(transport, sha256, 0, signal);
  for await (const part of body) {
    bytes += part.length;
    if (bytes > MAX_OUTPUT_BYTES) {
      const detail = `the artifact has more than ${MAX_OUTPUT_BYTES} bytes; download it into a file`;
      throw new AppError("PAYLOAD_TOO_LARGE", detail);
    }
    parts.push(part);
  }
  const content = Buffer.concat(parts);
  if (createHash("sha256").update(content).digest("hex") !== sha256) throw otherContent(sha256);
  return content;
}

function otherContent(sha256: string): AppError {
  return new AppError(
    "PROTOCOL_VIOLATION",
    `what came does not have the SHA-256 ${sha256}; it was thrown away, so try again`,
  );
}

function fileFailed(file: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new AppError("INVALID_ARGUMENT", `${file}: ${reason}`, { cause });
}
