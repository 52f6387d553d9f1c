import { expect } from "vitest";
import { createAppMeters } from "../../src/app/meters.ts";
import type { Client, JobInput, Receipt } from "../../src/client/client.ts";
import { type Meter, promptUnits, segmentUnits } from "../../src/domain/job/meter.ts";
import { totalPrice } from "../../src/domain/pricing/price.ts";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { type Verification, verifyReceipt } from "../../src/domain/receipt/verify.ts";

const METERS = createAppMeters();

function getMeter(name = ""): Meter {
  const meter = METERS.find(name);
  if (!meter) throw new Error(`the meter ${name} is not known`);
  return meter;
}

/** A job with this prompt; the rest as a test names it. */
export function job(prompt: string, rest: Partial<Omit<JobInput, "payload">> = {}): JobInput {
  return { payload: { type: "inference", prompt }, ...rest };
}

/** Checks a receipt offline, with the keys that the test trusts. */
export function verify(
  receipt: Receipt,
  output: string,
  pins: { coordinatorKeys?: readonly string[]; minerKeys?: readonly string[] } = {},
): Verification {
  return verifyReceipt(
    parseReceipt(JSON.stringify(receipt)),
    { output: new TextEncoder().encode(output), meters: METERS },
    pins,
  );
}

/** Lines of a verification that failed. */
export function failures({ lines }: Verification): string[] {
  return lines.filter(({ status }) => status === "failed").map(({ check, detail }) => `${check}: ${detail}`);
}

export async function receiptsOf(client: Client, jobId: string): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  for await (const receipt of client.listReceipts(jobId)) receipts.push(receipt);
  return receipts;
}

interface Figures {
  readonly units: number;
  readonly price: number;
  readonly metadata: {
    readonly start_byte: number;
    readonly end_byte: number;
    readonly meter: string;
    readonly prompt_units: number;
  };
}

/** Units of all segments, each of which has the same meter as the first. */
function deliveredUnits(meter: Meter, figures: readonly Figures[], output: string): number {
  const bytes = Buffer.from(output);
  return figures.reduce((sum, { metadata: { start_byte, end_byte, meter: name } }) => {
    expect(name).toBe(meter.name);
    return (
      sum +
      segmentUnits(meter, bytes.toString("utf8", 0, start_byte), bytes.toString("utf8", start_byte, end_byte))
    );
  }, 0);
}

/** Asserts that a job's receipts cover its output without gap or overlap and add up to one honest price. */
export function expectSound(
  receipts: readonly Receipt[],
  output: string,
  prompt: string,
  unitPrice = 200_000,
): void {
  // Receipts of this program's own API, whose form `verify` checks.
  const figures = receipts as unknown as readonly Figures[];
  let at = 0;
  for (const { metadata } of figures) {
    expect(metadata.start_byte).toBe(at);
    at = metadata.end_byte;
  }
  const bytes = Buffer.byteLength(output);
  expect(at).toBe(bytes);
  const meter = getMeter(figures[0]?.metadata.meter);
  const promptCharge = bytes === 0 ? 0 : promptUnits(meter, { prompt });
  expect(figures.slice(0, -1).map(({ metadata }) => metadata.prompt_units)).toEqual(
    figures.slice(1).map(() => 0),
  );
  expect(figures.at(-1)?.metadata.prompt_units).toBe(promptCharge);
  const units = figures.reduce((sum, one) => sum + one.units, 0);
  expect(units).toBe(deliveredUnits(meter, figures, output) + promptCharge);
  const price = figures.reduce((sum, one) => sum + one.price, 0);
  expect(BigInt(price)).toBe(totalPrice(BigInt(units), BigInt(unitPrice)));
}
