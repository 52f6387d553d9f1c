import { AppError } from "../../../kernel/errors.ts";
import type { ByteRange } from "./files.ts";

/** One range of bytes; several of them in one header are answered with everything, as RFC 9110 §14.2 allows. */
const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * The bytes that a `Range` header asks for; undefined where everything is to be sent (RFC 9110 §14.1.2).
 * @throws AppError RANGE_NOT_SATISFIABLE
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, first = "", last = ""] = RANGE.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < start) return undefined;
  if (start < end) return { start, end };
  throw new AppError("RANGE_NOT_SATISFIABLE", `the artifact has ${sizeBytes} bytes`);
}
