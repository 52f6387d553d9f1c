import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../../../kernel/errors.ts";
import type { RandomBytes } from "../../../kernel/ids.ts";
import { readOrCreateSecret } from "../../../kernel/secret-file.ts";

/** Bytes of the token: 256 random bits need no slow hash. */
const TOKEN_BYTES = 32;
const TOKEN = /^[0-9a-f]{64}$/;

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** What every call must show, kept as its hash. */
export class ListenerToken {
  readonly #digest: Buffer;

  private constructor(token: string) {
    this.#digest = sha256(token);
  }

  /**
   * Reads the token from its file, or makes both at the first start.
   * @throws AppError DATA_UNWRITABLE when others may read the file, or it holds no token
   */
  static async open(path: string, random: RandomBytes): Promise<ListenerToken> {
    const token = await readOrCreateSecret(path, () => Buffer.from(random(TOKEN_BYTES)).toString("hex"));
    if (TOKEN.test(token)) return new ListenerToken(token);
    throw new AppError("DATA_UNWRITABLE", `${path} holds no token; remove the file to get a new one`);
  }

  /** Whether this is the token; the time that takes tells nothing about it. */
  matches(given: string): boolean {
    return timingSafeEqual(sha256(given), this.#digest);
  }
}
