/** What a receipt says, held against the terms, the request and the output. */
import { fromUtf8 } from "../../crypto/bytes.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { AppError } from "../../kernel/errors.ts";
import { BYTES_METER, type Meter, promptUnits, segmentUnits } from "../job/meter.ts";
import { BYTES_ONLY } from "../job/meters.ts";
import { requestHash } from "../job/request.ts";
import { type Terms, termsHash } from "../job/terms.ts";
import { buildReceipt } from "./build.ts";
import { compareReceipt } from "./compare.ts";
import { decided, type Evidence, failed, type Line, notProven, proven } from "./evidence.ts";
import type { Receipt } from "./fields.ts";

/** All lines about the content of a receipt of version 1.1. */
export function verifyContent(receipt: Receipt, evidence: Evidence): Line[] {
  const meter = (evidence.meters ?? BYTES_ONLY).find(receipt.metadata.meter);
  const output = outputLine(receipt, evidence.output);
  const held = output.status === "proven" ? evidence.output : undefined;
  return [
    unitsLine(receipt, meter, held),
    termsLine(receipt, evidence.terms),
    ...requestLines(receipt, evidence.request, meter),
    output,
    notProven("times", "start, end and duration are as the signers state them: nothing else shows them"),
    notProven("settlement", "whether the receipt was paid on a chain is not part of it"),
  ];
}

/** Counts the units again. `output` is the one of the receipt, where the caller has it. */
function unitsLine(receipt: Receipt, meter: Meter | undefined, output: Uint8Array | undefined): Line {
  const { meter: name, start_byte: start, end_byte: end, prompt_units: prompt } = receipt.metadata;
  if (!meter)
    return notProven("units", `the meter ${name} is not known here, so the units were not counted again`);
  if (meter !== BYTES_METER && !output) {
    return notProven("units", `the meter ${name} counts text: without the output nothing was counted again`);
  }
  const counted = end < start ? undefined : countSegment(meter, start, end, output);
  return decided(
    "units",
    counted !== undefined && counted + prompt === receipt.units,
    `units recounted with meter ${name}: ${counted} for bytes ${start} to ${end} and ${prompt} for the request are ${receipt.units}`,
    `the receipt says ${receipt.units} units, the meter ${name} counts ${counted ?? "nothing"} for bytes ${start} to ${end}, and ${prompt} are for the request`,
  );
}

/** Units of a segment; undefined where its ends lie within characters. bytes/4 needs no output. */
function countSegment(
  meter: Meter,
  start: number,
  end: number,
  output: Uint8Array | undefined,
): number | undefined {
  if (meter === BYTES_METER || !output) return BYTES_METER.units(end) - BYTES_METER.units(start);
  try {
    const prefix = fromUtf8("output", output.subarray(0, start));
    return segmentUnits(meter, prefix, fromUtf8("output", output.subarray(start, end)));
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function termsLine(receipt: Receipt, terms: Terms | undefined): Line {
  if (!terms) {
    return notProven("terms", "the terms were not given: that the price follows from them was not checked");
  }
  if (termsHash(terms) !== receipt.metadata.terms_hash) {
    return failed("terms", "these are not the terms of this receipt: their hash is another one");
  }
  const differing = differFromTerms(receipt, terms);
  return decided(
    "terms",
    differing.length === 0,
    `ids, units and the price of ${receipt.price} µAIT are what the terms give`,
    `not what the terms give: ${differing.join(", ")}`,
  );
}

/** Pointers to the members that differ from a receipt built anew from the terms. */
function differFromTerms(receipt: Receipt, terms: Terms): string[] {
  const { metadata } = receipt;
  try {
    const expected = buildReceipt(terms, {
      provider: receipt.provider,
      // Only the segment that ends the job is charged for the request.
      endsJob: metadata.prompt_units > 0,
      outcome: metadata.outcome,
      end_byte: metadata.end_byte,
      // That the meter counts so many is a line of its own.
      delivered_units: receipt.units - metadata.prompt_units,
      segment_sha256: receipt.artifact_hash.slice("sha256:".length),
      output_sha256: metadata.output_sha256,
      completed_at: receipt.completed_at,
      duration_ms: receipt.duration_ms,
      progress: metadata.progress,
      payout: metadata.payout,
    });
    // What the terms do not speak of cannot differ from them.
    return compareReceipt(
      { ...receipt, ...expected, metadata: { ...metadata, ...expected.metadata } },
      receipt,
    );
  } catch (error) {
    if (error instanceof AppError) return [error.message];
    throw error;
  }
}

function requestLines(receipt: Receipt, request: Evidence["request"], meter: Meter | undefined): Line[] {
  if (!request) {
    return [notProven("request", "the request was not given: prompt_hash was not compared")];
  }
  const hashLine = decided(
    "request",
    `sha256:${requestHash(request)}` === receipt.prompt_hash,
    "prompt_hash is the hash of the given request",
    "prompt_hash is not the hash of the given request",
  );
  if (!meter || receipt.metadata.prompt_units === 0) return [hashLine];
  const units = promptUnits(meter, request);
  return [
    hashLine,
    decided(
      "prompt_units",
      units === receipt.metadata.prompt_units,
      `the request has ${units} units`,
      `the receipt charges ${receipt.metadata.prompt_units} units for the request, the meter counts ${units}`,
    ),
  ];
}

function outputLine(receipt: Receipt, output: Uint8Array | undefined): Line {
  const { start_byte: start, end_byte: end, output_sha256: hash } = receipt.metadata;
  if (!output) return notProven("output", "the output was not given: its hashes were not compared");
  if (output.length < end) {
    return failed("output", `the receipt covers ${end} bytes, the given output has ${output.length}`);
  }
  const isSegment = `sha256:${sha256Hex(output.subarray(start, end))}` === receipt.artifact_hash;
  const isWhole = sha256Hex(output.subarray(0, end)) === hash;
  if (isSegment && isWhole) return proven("output", `bytes ${start} to ${end} are the given output`);
  return failed(
    "output",
    `the given output is not the one of the receipt (${isWhole ? "artifact_hash" : "output_sha256"})`,
  );
}
