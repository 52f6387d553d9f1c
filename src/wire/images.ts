/** The kinds of image that jobs may name, with the bytes that their files begin with. */
const KINDS = [
  { mediaType: "image/png", starts: ["89504e470d0a1a0a"], at: 0 },
  { mediaType: "image/jpeg", starts: ["ffd8ff"], at: 0 },
  { mediaType: "image/gif", starts: ["474946383761", "474946383961"], at: 0 },
  { mediaType: "image/webp", starts: ["57454250"], at: 8 },
] as const;
export type ImageMediaType = (typeof KINDS)[number]["mediaType"];

/** Bytes of a file that tell what image it is. */
export const IMAGE_HEAD_BYTES = 12;

/** What image a file is by its first bytes; undefined for what jobs may not name. */
export function imageTypeOf(bytes: Buffer): ImageMediaType | undefined {
  return KINDS.find(({ starts, at }) =>
    starts.some((start) => bytes.toString("hex", at, at + start.length / 2) === start),
  )?.mediaType;
}
