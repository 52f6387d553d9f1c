import { createHash } from "node:crypto";
import { AppError } from "../../kernel/errors.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import type { Images } from "./engine-request.ts";
import type { EngineImage } from "./engines/engine.ts";
import type { CoordinatorLink } from "./ports.ts";

/** Images of one job: more than any model looks at together. */
const MAX_IMAGES = 64;
/** Largest image, in bytes: what hosted models take. */
const MAX_IMAGE_BYTES = 20 * 1024 * 1024;
/** All images of a job, in bytes: they are held in memory while the engine reads them, a third larger as base64. */
const MAX_ALL_BYTES = 64 * 1024 * 1024;

/**
 * Gets the images that a payload names, one after the other, and checks that they are what it names.
 * @throws AppError PAYLOAD_TOO_LARGE, PROTOCOL_VIOLATION for other content than was asked for, and what the link throws
 */
export async function fetchImages(
  link: Pick<CoordinatorLink, "openArtifact">,
  payload: JobPayload,
  signal: AbortSignal,
): Promise<Images> {
  const wanted = listImages(payload);
  if (wanted.size > MAX_IMAGES) throw tooLarge(`more than ${MAX_IMAGES} images`);
  const images = new Map<string, EngineImage>();
  let room = MAX_ALL_BYTES;
  for (const [sha256, media_type] of wanted) {
    const bytes = await read(
      await link.openArtifact(sha256, signal),
      Math.min(room, MAX_IMAGE_BYTES),
      signal,
    );
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new AppError("PROTOCOL_VIOLATION", `the image that came is not ${sha256}`);
    }
    room -= bytes.length;
    images.set(sha256, { media_type, data: bytes.toString("base64") });
  }
  return images;
}

/** The media types of the images of a payload, by their SHA-256. */
function listImages(payload: JobPayload): ReadonlyMap<string, string> {
  const messages = payload.type === "inference" ? (payload.messages ?? []) : [];
  const parts = messages.flatMap(({ content }) => (typeof content === "string" ? [] : content));
  return new Map(parts.flatMap((part) => (part.type === "image" ? [[part.sha256, part.media_type]] : [])));
}

/** Reads at most so many bytes. */
async function read(stream: ReadableStream<Uint8Array>, most: number, signal: AbortSignal): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream) {
    signal.throwIfAborted();
    size += part.length;
    if (size > most) {
      throw tooLarge(`an image of more than ${MAX_IMAGE_BYTES} bytes, or more than ${MAX_ALL_BYTES} in all`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function tooLarge(what: string): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `a miner does not read ${what}; send fewer or smaller ones`);
}
