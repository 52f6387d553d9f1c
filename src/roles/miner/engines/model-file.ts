import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { AppError } from "../../../kernel/errors.ts";
import { readGgufHeader } from "./gguf.ts";

/** What can be told about a model without loading it. */
export interface ModelFile {
  /** `sha256:` and the hash of the whole file. */
  readonly digest: string;
  /** Context that the model was trained for. */
  readonly trainContextTokens: number;
  /** Such as `llama`. */
  readonly architecture: string;
}

/** Bytes read at once: large models lie on disks that like long reads. */
const READ_BYTES = 1024 * 1024;

/**
 * Reads header and hash of a GGUF file. Hashing takes about a second a gigabyte.
 * @throws AppError ENGINE_UNAVAILABLE when the file cannot be read or is no GGUF file.
 */
export async function readModelFile(path: string): Promise<ModelFile> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const { architecture, contextTokens } = await readGgufHeader(file);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), hash);
    return { digest: `sha256:${hash.digest("hex")}`, trainContextTokens: contextTokens, architecture };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("ENGINE_UNAVAILABLE", `the model ${path} cannot be used: ${why}`, { cause: error });
  } finally {
    await file?.close();
  }
}
