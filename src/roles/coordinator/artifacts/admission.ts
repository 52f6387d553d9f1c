import { AppError } from "../../../kernel/errors.ts";
import { UPLOAD_HINT } from "../../../wire/artifacts.ts";
import type { ArtifactsConfig } from "../config.ts";
import { checkQuotas, type Stored } from "./quotas.ts";

/** Uploads that run at once: each takes a file descriptor and some hundred KiB of memory. */
const MAX_UPLOADS = 64;

/** What is read of a refused body at most: what its sender had under way. Beyond it the connection is cut. */
const MAX_DISCARDED_BYTES = 8 * 1024 * 1024;

/** @throws AppError PAYLOAD_TOO_LARGE */
export function checkSize({ max_bytes }: ArtifactsConfig, sizeBytes: number): void {
  if (sizeBytes <= max_bytes) return;
  throw new AppError("PAYLOAD_TOO_LARGE", `an artifact has at most ${max_bytes} bytes here`);
}

/** The refusal of a result that is too large to be kept inline. */
export function resultTooLarge(most: number): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `the answer is larger than ${most} bytes; ${UPLOAD_HINT}`);
}

/** Counts what arrives right now, so that uploads side by side cannot fill the disk beyond the quotas. */
export class Admission {
  readonly #config: ArtifactsConfig;
  readonly #arriving = new Map<string, number>();
  #bytes = 0;
  #uploads = 0;

  constructor(config: ArtifactsConfig) {
    this.#config = config;
  }

  /**
   * Passes a body on, counting. `stored` is what lay there when it began.
   * @throws AppError PAYLOAD_TOO_LARGE, LIMIT_EXCEEDED, INVALID_ARGUMENT when the body breaks off
   */
  async *admit(
    ownerId: string,
    stored: Stored,
    body: ReadableStream<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, void> {
    if (this.#uploads >= MAX_UPLOADS) {
      throw new AppError("LIMIT_EXCEEDED", `${MAX_UPLOADS} uploads run already; try again later`);
    }
    this.#uploads++;
    let sizeBytes = 0;
    try {
      for await (const part of unbroken(body)) {
        sizeBytes += part.length;
        this.#count(ownerId, part.length);
        checkSize(this.#config, sizeBytes);
        checkQuotas(this.#config, {
          ofOwner: stored.ofOwner + (this.#arriving.get(ownerId) ?? 0),
          ofAll: stored.ofAll + this.#bytes,
        });
        yield part;
      }
    } finally {
      this.#uploads--;
      this.#count(ownerId, -sizeBytes);
    }
  }

  #count(ownerId: string, bytes: number): void {
    const sum = (this.#arriving.get(ownerId) ?? 0) + bytes;
    if (sum > 0) this.#arriving.set(ownerId, sum);
    else this.#arriving.delete(ownerId);
    this.#bytes += bytes;
  }
}

/** The parts of a body. When its reader has enough, so much of the rest is discarded that the sender hears why. */
async function* unbroken(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  let isOpen = true;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(brokeOff);
      isOpen = !done;
      if (done) return;
      yield value;
    }
  } catch (error) {
    isOpen = false;
    throw error;
  } finally {
    if (isOpen) await discard(reader);
  }
}

/** A sender that went away is at fault itself. */
function brokeOff(cause: unknown): never {
  throw new AppError("INVALID_ARGUMENT", "the upload broke off", { cause });
}

async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let bytes = 0; bytes < MAX_DISCARDED_BYTES; ) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) return;
    bytes += value.length;
  }
}
