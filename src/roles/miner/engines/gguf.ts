import type { FileHandle } from "node:fs/promises";

/** The part of a GGUF file's header that is read without llama.cpp. */
export interface GgufHeader {
  readonly architecture: string;
  /** Context that the model was trained for, in tokens. */
  readonly contextTokens: number;
}

/** "GGUF", little endian. */
const MAGIC = 0x46554747;
/** Versions that llama.cpp reads. */
const VERSIONS: ReadonlySet<number> = new Set([2, 3]);
/** Entries of a header: models have some dozens. */
const MAX_ENTRIES = 65_536;
/** Longest key or text that is looked at, in bytes; chat templates have tens of kilobytes. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
/** Elements of an array: vocabularies have some hundred thousand. */
const MAX_ELEMENTS = 16_777_216;
/** Bytes read from the file at once. */
const READ_BYTES = 256 * 1024;

/** Types of values, by their number in the GGUF specification. */
const TYPE = { uint32: 4, int32: 5, string: 8, array: 9, uint64: 10, int64: 11 } as const;
/** Sizes in bytes of the types that have a fixed one. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);

/**
 * Reads a GGUF header (versions 2 and 3) as far as needed.
 * @throws Error that says what is wrong with the file.
 */
export async function readGgufHeader(file: FileHandle): Promise<GgufHeader> {
  const cursor = new Cursor(file);
  if ((await cursor.uint32()) !== MAGIC) throw new Error("it is not a GGUF file");
  const version = await cursor.uint32();
  if (!VERSIONS.has(version)) throw new Error(`GGUF version ${version} is not supported`);
  await cursor.uint64();
  const entries = await cursor.count(MAX_ENTRIES);
  let architecture: string | undefined;
  const contexts = new Map<string, number>();
  for (let entry = 0; entry < entries; entry++) {
    const key = await cursor.text();
    const type = await cursor.uint32();
    if (key === "general.architecture" && type === TYPE.string) architecture = await cursor.text();
    else if (key.endsWith(".context_length")) contexts.set(key, await readInteger(cursor, type));
    else await skipValue(cursor, type);
    const contextTokens = contexts.get(`${architecture}.context_length`);
    if (architecture !== undefined && contextTokens !== undefined) return { architecture, contextTokens };
  }
  throw new Error("its header names no context length");
}

async function readInteger(cursor: Cursor, type: number): Promise<number> {
  if (type === TYPE.uint32 || type === TYPE.int32) return cursor.uint32();
  if (type === TYPE.uint64 || type === TYPE.int64) return cursor.uint64();
  throw new Error("its context length is not a whole number");
}

async function skipValue(cursor: Cursor, type: number): Promise<void> {
  if (type === TYPE.string) return cursor.skipText();
  if (type === TYPE.array) return skipArray(cursor);
  cursor.skip(sizeOf(type));
}

async function skipArray(cursor: Cursor): Promise<void> {
  const type = await cursor.uint32();
  const elements = await cursor.count(MAX_ELEMENTS);
  if (type === TYPE.string) {
    for (let element = 0; element < elements; element++) await cursor.skipText();
    return;
  }
  cursor.skip(sizeOf(type) * elements);
}

function sizeOf(type: number): number {
  const size = SIZES.get(type);
  if (size === undefined) throw new Error(`its header has a value of unknown type ${type}`);
  return size;
}

/** Reads a file from front to back. */
class Cursor {
  readonly #file: FileHandle;
  #buffer = Buffer.alloc(0);
  /** Where the buffer begins in the file, and the next byte within the buffer. */
  #start = 0;
  #at = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async uint32(): Promise<number> {
    return (await this.#take(4)).readUInt32LE();
  }

  async uint64(): Promise<number> {
    const value = (await this.#take(8)).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error("its header has a number that is too large");
    return Number(value);
  }

  async count(max: number): Promise<number> {
    const value = await this.uint64();
    if (value > max) throw new Error("its header is too long");
    return value;
  }

  async text(): Promise<string> {
    return (await this.#take(await this.count(MAX_TEXT_BYTES))).toString();
  }

  async skipText(): Promise<void> {
    this.skip(await this.count(MAX_TEXT_BYTES));
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  async #take(bytes: number): Promise<Buffer> {
    if (this.#at + bytes > this.#buffer.length) await this.#fill(bytes);
    const taken = this.#buffer.subarray(this.#at, this.#at + bytes);
    this.#at += bytes;
    return taken;
  }

  async #fill(bytes: number): Promise<void> {
    this.#start += this.#at;
    this.#at = 0;
    const buffer = Buffer.alloc(Math.max(bytes, READ_BYTES));
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#start);
    if (bytesRead < bytes) throw new Error("it ends within its header");
    this.#buffer = buffer.subarray(0, bytesRead);
  }
}
