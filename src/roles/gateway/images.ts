import { sha256Hex } from "../../crypto/hash.ts";
import { AppError } from "../../kernel/errors.ts";
import { type ImageMediaType, imageTypeOf } from "../../wire/images.ts";
import type { AnswerImage } from "./answers.ts";

export interface ReadImage extends AnswerImage {
  readonly mediaType: ImageMediaType;
  /** How the payload names it, as hex. */
  readonly sha256: string;
}

const DATA_URL = /^data:([\w/+.-]+);base64,/;
/** Characters of base64 that hold so many bytes. */
const GROUP = { characters: 4, bytes: 3 };

/** Reads a `data:` URL. @throws AppError INVALID_PAYLOAD at `pointer` */
export function readImageUrl(url: string, pointer: string): ReadImage {
  const head = DATA_URL.exec(url);
  if (!head) throw invalid(pointer, "must be data:image/png;base64,… or another image as base64");
  const image = readImage(url.slice(head[0].length), pointer);
  if (image.mediaType === head[1] || (image.mediaType === "image/jpeg" && head[1] === "image/jpg"))
    return image;
  throw invalid(pointer, `says ${head[1]} and is ${image.mediaType}`);
}

/** Reads an image that is written as base64; what it is stands in its first bytes. */
export function readImage(base64: string, pointer: string): ReadImage {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== decodedLength(base64)) throw invalid(pointer, "is no base64");
  const mediaType = imageTypeOf(bytes);
  if (!mediaType) throw invalid(pointer, "is no PNG, JPEG, GIF or WebP");
  return { mediaType, bytes, sha256: sha256Hex(bytes) };
}

/** Bytes of a text that is base64; decoding skips what is not, and so gives fewer. NaN for a broken length. */
function decodedLength(base64: string): number {
  if (base64.length % GROUP.characters !== 0) return Number.NaN;
  const padding = /={0,2}$/.exec(base64.slice(-2))?.[0].length ?? 0;
  return (base64.length / GROUP.characters) * GROUP.bytes - padding;
}

function invalid(pointer: string, what: string): AppError {
  return new AppError("INVALID_PAYLOAD", `${pointer}: ${what}`, {
    meta: { pointer, fault: "invalid", what },
  });
}
