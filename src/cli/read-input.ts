import { AppError } from "../kernel/errors.ts";
import type { Io } from "./io.ts";

/**
 * Reads stdin to its end as UTF-8. One newline at the end goes away, because `echo` adds it.
 * @throws AppError PAYLOAD_TOO_LARGE past `maxBytes`, INVALID_ARGUMENT when it is no UTF-8
 */
export async function readInput(io: Pick<Io, "stdin">, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of io.stdin) {
    length += part.length;
    if (length > maxBytes) throw new AppError("PAYLOAD_TOO_LARGE", `stdin holds more than ${maxBytes} bytes`);
    parts.push(part);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
    return text.replace(/\r?\n$/, "");
  } catch (cause) {
    throw new AppError("INVALID_ARGUMENT", "stdin is not UTF-8 text", { cause });
  }
}
