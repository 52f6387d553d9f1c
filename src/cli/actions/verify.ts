import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createAppMeters } from "../../app/meters.ts";
import { fromBase64Url, fromHex } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import type { Evidence, Line } from "../../domain/receipt/evidence.ts";
import { MAX_RECEIPT_BYTES, parseReceipt } from "../../domain/receipt/parse.ts";
import { keyIdOf } from "../../domain/receipt/sign.ts";
import { type Verdict, type Verification, verifyReceipt } from "../../domain/receipt/verify.ts";
import { AppError, EXIT } from "../../kernel/errors.ts";
import { parseJson } from "../../kernel/json.ts";
import { JobPayload } from "../../wire/jobs.ts";
import { OfferTerms } from "../../wire/session.ts";
import { printResult } from "../format.ts";
import { type Io, toSafeText } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { readInput } from "../read-input.ts";
import { painter, type Style } from "../style.ts";

export interface VerifyOptions extends GlobalOptions {
  readonly coordinatorKey?: readonly string[];
  readonly minerKey?: readonly string[];
  readonly outputFile?: string;
  readonly requestFile?: string;
  readonly termsFile?: string;
}

const MARKS: Readonly<Record<Line["status"], readonly [mark: string, style: Style]>> = {
  proven: ["✓ proven    ", "green"],
  not_proven: ["? not proven", "yellow"],
  failed: ["✗ FAILED    ", "red"],
};

const VERDICTS: Readonly<Record<Verdict, readonly [text: string, style: Style, exit: number]>> = {
  verified: ["VERIFIED: nothing failed, and every signer is one that you named", "green", 0],
  signer_unknown: [
    "SIGNATURE VALID, SIGNER UNKNOWN: nothing failed, but whose keys signed was not shown",
    "yellow",
    EXIT.signerUnknown,
  ],
  invalid: ["INVALID: do not trust this receipt", "red", EXIT.receiptInvalid],
};

const PIN_HINT =
  "  → name the keys you trust: --coordinator-key KEY --miner-key KEY (their operators print them with: aitbc keys identity)";

/** A pinned key as receipts write it, from that or from hex. */
export function parsePin(flag: string, text: string): string {
  try {
    const isHex = /^[0-9a-f]{64}$/i.test(text);
    return keyIdOf(
      isHex
        ? fromHex(flag, text.toLowerCase(), PUBLIC_KEY_BYTES)
        : fromBase64Url(flag, text, PUBLIC_KEY_BYTES),
    );
  } catch (cause) {
    const detail = `${flag} ${text} is not a public key: it must be 32 bytes as unpadded base64url or hex`;
    throw new AppError("INVALID_ARGUMENT", detail, { cause });
  }
}

async function readBytes(io: Io, file: string): Promise<Uint8Array> {
  const path = resolve(io.cwd, file);
  try {
    return await readFile(path);
  } catch (cause) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    throw new AppError("INVALID_ARGUMENT", `${path} ${missing ? "does not exist" : "cannot be read"}`, {
      cause,
    });
  }
}

async function readText(io: Io, file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(io, file));
}

/** What the caller brings besides the receipt; each piece lets more be proven. */
async function readEvidence(io: Io, options: VerifyOptions): Promise<Evidence> {
  const { outputFile, requestFile, termsFile } = options;
  const request =
    requestFile === undefined ? undefined : JobPayload.safeParse(parseJson(await readText(io, requestFile)));
  const terms =
    termsFile === undefined ? undefined : OfferTerms.safeParse(parseJson(await readText(io, termsFile)));
  if (request && !request.success)
    throw new AppError("INVALID_ARGUMENT", `${requestFile} is not the payload of a job`);
  if (terms && !terms.success) throw new AppError("INVALID_ARGUMENT", `${termsFile} does not hold terms`);
  return {
    output: outputFile === undefined ? undefined : await readBytes(io, outputFile),
    // A payload is JSON that was just parsed and checked; the schema's optional members are absent, never undefined.
    request: request?.data as Evidence["request"],
    terms: terms?.data,
    meters: createAppMeters(),
  };
}

function formatVerification(io: Io, { lines, verdict }: Verification): string {
  const paint = painter(io.stdout, io.env);
  const width = Math.max(...lines.map(({ check }) => check.length));
  const [text, style] = VERDICTS[verdict];
  const rows = lines.map(({ check, status, detail }) => {
    const [mark, markStyle] = MARKS[status];
    return `${paint(markStyle, mark)}  ${check.padEnd(width)}  ${toSafeText(detail)}`;
  });
  const hint = verdict === "signer_unknown" ? [PIN_HINT] : [];
  return [...rows, "", paint(style, text), ...hint].join("\n");
}

/** Verifies a receipt offline, prints what was proven and what was not, and returns the exit code. */
export async function verifyReceiptFile(io: Io, file: string, options: VerifyOptions): Promise<number> {
  const text = file === "-" ? await readInput(io, MAX_RECEIPT_BYTES) : await readText(io, file);
  const pins = {
    coordinatorKeys: (options.coordinatorKey ?? []).map((key) => parsePin("--coordinator-key", key)),
    minerKeys: (options.minerKey ?? []).map((key) => parsePin("--miner-key", key)),
  };
  const verification = verifyReceipt(parseReceipt(text), await readEvidence(io, options), pins);
  const { verdict, receiptHash, lines } = verification;
  const value = { verdict, receipt_hash: receiptHash, lines };
  await printResult(io, options.output ?? "table", value, () => formatVerification(io, verification));
  return VERDICTS[verdict][2];
}
