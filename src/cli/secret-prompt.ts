import { SecretBytes } from "../crypto/secret-bytes.ts";
import { AppError } from "../kernel/errors.ts";

/** Longest secret that is typed, in bytes: a phrase of 24 words has 215. */
const MAX_BYTES = 2048;
const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const BACKSPACES: readonly number[] = [0x08, 0x7f];
const LINE_ENDS: readonly number[] = [0x0a, 0x0d];
/** Bytes of UTF-8 that go on a character. */
const isContinuation = (byte: number | undefined): boolean => ((byte ?? 0) & 0xc0) === 0x80;

/** A terminal that is typed on. */
export interface TypedInput {
  setRawMode(raw: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/**
 * Reads a line from a terminal without showing it. Backspace takes a character back, Ctrl-U all of them.
 * @throws AppError INTERRUPTED for Ctrl-C, and for Ctrl-D on an empty line
 */
export function readTypedSecret(input: TypedInput): Promise<SecretBytes> {
  const bytes = Buffer.alloc(MAX_BYTES);
  let length = 0;
  const { promise, resolve, reject } = Promise.withResolvers<SecretBytes>();
  const take = (byte: number): "more" | "done" | "interrupted" => {
    if (LINE_ENDS.includes(byte)) return "done";
    if (byte === CTRL_C) return "interrupted";
    if (byte === CTRL_D) return length === 0 ? "interrupted" : "done";
    if (byte === CTRL_U) length = 0;
    else if (BACKSPACES.includes(byte)) {
      while (length > 0 && isContinuation(bytes[length - 1])) length--;
      length = Math.max(0, length - 1);
    } else if (length < MAX_BYTES) bytes[length++] = byte;
    return "more";
  };
  const onData = (chunk: Buffer): void => {
    const outcome = [...chunk].map(take).find((one) => one !== "more");
    chunk.fill(0);
    if (outcome === undefined) return;
    input.off("data", onData);
    input.setRawMode(false);
    input.pause();
    if (outcome === "done") resolve(new SecretBytes(Uint8Array.from(bytes.subarray(0, length))));
    else reject(new AppError("INTERRUPTED", "interrupted"));
    bytes.fill(0);
  };
  input.setRawMode(true);
  input.on("data", onData);
  input.resume();
  return promise;
}
