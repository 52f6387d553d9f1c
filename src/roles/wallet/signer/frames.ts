/**
 * Frames between the daemon and the process that holds keys: four bytes length of all that follows, four bytes length
 * of a head in JSON, the head, then its parts as raw bytes. Secrets travel as parts: unlike a text, bytes can be wiped.
 */
import { z } from "zod";
import { fromUtf8, utf8 } from "../../../crypto/bytes.ts";
import { AppError } from "../../../kernel/errors.ts";

/** A frame holds at most one keystore file or one message of a request's size, and a password. */
const MAX_FRAME_BYTES = 4 * 1024 * 1024;
const LENGTH_BYTES = 4;

export interface Frame {
  readonly head: unknown;
  readonly parts: readonly Uint8Array[];
}

const Envelope = z.strictObject({ head: z.unknown(), parts: z.array(z.int().min(0)) });

/** Writes a frame. The caller wipes it once it is sent. */
export function encodeFrame({ head, parts }: Frame): Buffer {
  const text = utf8(JSON.stringify({ head, parts: parts.map(({ length }) => length) }));
  const content = parts.reduce((sum, { length }) => sum + length, LENGTH_BYTES + text.length);
  if (content > MAX_FRAME_BYTES)
    throw new AppError("PAYLOAD_TOO_LARGE", "too large for one call of a signer");
  // Not from the shared slab: it is wiped as a whole.
  const frame = Buffer.alloc(LENGTH_BYTES + content);
  frame.writeUInt32BE(content, 0);
  frame.writeUInt32BE(text.length, LENGTH_BYTES);
  let at = 2 * LENGTH_BYTES;
  for (const bytes of [text, ...parts]) {
    frame.set(bytes, at);
    at += bytes.length;
  }
  return frame;
}

/** Puts frames together from what arrives, and wipes what arrived. */
export class FrameReader {
  #buffer: Buffer = Buffer.alloc(0);

  /** Takes bytes over, and returns the frames that are whole. @throws AppError PROTOCOL_VIOLATION */
  push(chunk: Buffer): readonly Frame[] {
    const joined = Buffer.alloc(this.#buffer.length + chunk.length);
    joined.set(this.#buffer);
    joined.set(chunk, this.#buffer.length);
    this.#buffer.fill(0);
    chunk.fill(0);
    this.#buffer = joined;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (this.#buffer.length < LENGTH_BYTES) return undefined;
    const length = this.#buffer.readUInt32BE(0);
    if (length > MAX_FRAME_BYTES || length < LENGTH_BYTES) throw broken("its length");
    const end = LENGTH_BYTES + length;
    if (this.#buffer.length < end) return undefined;
    const content = this.#buffer.subarray(LENGTH_BYTES, end);
    const frame = decode(content);
    content.fill(0);
    this.#buffer = Buffer.from(this.#buffer.subarray(end));
    return frame;
  }
}

function decode(content: Buffer): Frame {
  const start = LENGTH_BYTES + content.readUInt32BE(0);
  if (start > content.length) throw broken("its head");
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8("head", content.subarray(LENGTH_BYTES, start)));
  } catch {
    throw broken("its head");
  }
  const envelope = Envelope.safeParse(value);
  if (!envelope.success) throw broken("its head");
  const parts: Uint8Array[] = [];
  let at = start;
  for (const length of envelope.data.parts) {
    if (at + length > content.length) throw broken("its parts");
    parts.push(Uint8Array.from(content.subarray(at, at + length)));
    at += length;
  }
  if (at !== content.length) throw broken("its parts");
  return { head: envelope.data.head, parts };
}

/** Never shows the frame: it may hold a secret. */
function broken(what: string): AppError {
  return new AppError("PROTOCOL_VIOLATION", `a frame of the signer: ${what}`);
}
