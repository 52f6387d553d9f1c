import { inspect } from "node:util";
import { AppError } from "../kernel/errors.ts";

const REDACTED = "[secret bytes]";

/**
 * Secret bytes with one owner, who disposes of them: then they are zeros. They do not print, serialise or compare.
 * Whoever is lent them keeps no copy. Texts cannot be wiped, so a secret that arrives as text becomes this at once.
 */
export class SecretBytes implements Disposable {
  readonly #bytes: Uint8Array;
  #wiped = false;

  /** Takes the bytes over: the caller must not use them again. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The UTF-8 of a text. */
  static fromUtf8(text: string): SecretBytes {
    // Not Buffer.from, whose bytes lie in a slab that is shared with others.
    const bytes = Buffer.alloc(Buffer.byteLength(text, "utf8"));
    bytes.write(text, "utf8");
    return new SecretBytes(bytes);
  }

  /** The bytes, lent. @throws AppError INTERNAL once they are wiped. */
  get bytes(): Uint8Array {
    if (this.#wiped) throw new AppError("INTERNAL", "secret bytes were used after they were wiped");
    return this.#bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** A second owner's copy. */
  copy(): SecretBytes {
    return new SecretBytes(Uint8Array.from(this.bytes));
  }

  [Symbol.dispose](): void {
    this.#wiped = true;
    this.#bytes.fill(0);
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
