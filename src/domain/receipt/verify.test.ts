import { describe, expect, it } from "vitest";
import {
  COORDINATOR_KEY,
  MINER_KEY,
  OUTPUT,
  outcomeOf,
  progressAt,
  REQUEST,
  seededKey,
  TERMS,
} from "../../../test/harness/receipts.ts";
import { readTinyTokenizer } from "../../../test/harness/tokenizer.ts";
import { fromUtf8, utf8 } from "../../crypto/bytes.ts";
import { promptUnits, segmentUnits } from "../job/meter.ts";
import { createMeters } from "../job/meters.ts";
import { termsHash } from "../job/terms.ts";
import { buildReceipt } from "./build.ts";
import type { Evidence, Pins } from "./evidence.ts";
import type { Receipt } from "./fields.ts";
import { parseReceipt } from "./parse.ts";
import { attestReceipt, keyIdOf, signReceipt } from "./sign.ts";
import { type Verification, verifyReceipt } from "./verify.ts";

const PINS: Pins = {
  coordinatorKeys: [keyIdOf(COORDINATOR_KEY.publicKey)],
  minerKeys: [keyIdOf(MINER_KEY.publicKey)],
};
const EVIDENCE: Evidence = { terms: TERMS, request: REQUEST, output: OUTPUT };
const end = OUTPUT.length;

const built = buildReceipt(TERMS, outcomeOf(TERMS, end));
const complete = attestReceipt(signReceipt(built, MINER_KEY), COORDINATOR_KEY);
/** The miner was lost at byte 30; its last signed progress is at byte 20. */
const lost = attestReceipt(
  buildReceipt(
    TERMS,
    outcomeOf(TERMS, 30, { outcome: "lease_lost", endsJob: false, progress: progressAt(TERMS, 20) }),
  ),
  COORDINATOR_KEY,
);
const keyless = attestReceipt(
  buildReceipt(TERMS, outcomeOf(TERMS, end, { provider: "miner-shed-2" })),
  COORDINATOR_KEY,
);

const check = (receipt: Receipt, evidence: Evidence = {}, pins: Pins = {}): Verification =>
  verifyReceipt(parseReceipt(JSON.stringify(receipt)), evidence, pins);
const statuses = ({ lines }: Verification): Record<string, string> =>
  Object.fromEntries(lines.map((line) => [line.check, line.status]));
const failures = ({ lines }: Verification): string[] =>
  lines.filter(({ status }) => status === "failed").map((line) => line.check);

describe("verifyReceipt, of a completed job", () => {
  it("proves everything but times and settlement, given all evidence and both keys", () => {
    const verification = check(complete, EVIDENCE, PINS);
    expect(verification.verdict).toBe("verified");
    expect(statuses(verification)).toEqual({
      form: "proven",
      miner_signature: "proven",
      provider: "proven",
      miner_key: "proven",
      attestation: "proven",
      coordinator_key: "proven",
      units: "proven",
      terms: "proven",
      request: "proven",
      prompt_units: "proven",
      output: "proven",
      times: "not_proven",
      settlement: "not_proven",
    });
  });

  it("says what was not proven where evidence is missing", () => {
    const verification = check(complete, {}, PINS);
    expect(verification.verdict).toBe("verified");
    expect(statuses(verification)).toMatchObject({
      terms: "not_proven",
      request: "not_proven",
      output: "not_proven",
    });
  });

  it.each([{}, { minerKeys: PINS.minerKeys ?? [] }, { coordinatorKeys: PINS.coordinatorKeys ?? [] }])(
    "does not know the signers with the keys %j",
    (pins) => {
      const verification = check(complete, EVIDENCE, pins);
      expect(verification.verdict).toBe("signer_unknown");
      expect(failures(verification)).toEqual([]);
      expect(
        verification.lines.some(({ detail }) => detail.startsWith("signature valid, signer unknown")),
      ).toBe(true);
    },
  );

  it("fails when any signed member is changed", () => {
    for (const [name, value] of Object.entries(built)) {
      if (typeof value !== "number") continue;
      const verification = check({ ...complete, [name]: value + 1 }, {}, PINS);
      expect(verification.verdict).toBe("invalid");
      expect(failures(verification)).toEqual(
        expect.arrayContaining(["miner_signature", "attestation", "signatures"]),
      );
    }
    expect(check({ ...complete, tip: 1 } as Receipt, {}, PINS).verdict).toBe("invalid");
  });

  it("is invalid when nobody signed", () => {
    expect(failures(check(built, EVIDENCE, PINS))).toEqual(["signatures"]);
  });

  it.each<[string, Evidence]>([
    ["terms", { terms: { ...TERMS, price_uait_per_million_units: 1 } }],
    ["request", { request: { ...REQUEST, prompt: "Why is the sky red?? Très bref." } }],
    ["output", { output: utf8("x".repeat(end)) }],
    ["output", { output: OUTPUT.subarray(0, end - 1) }],
  ])("fails at %s when other evidence is given", (line, evidence) => {
    const verification = check(complete, evidence, PINS);
    expect(verification.verdict).toBe("invalid");
    expect(failures(verification)).toEqual([line]);
  });

  it.each<[Partial<Receipt>, string[]]>([
    [{ units: built.units + 1 }, ["units", "terms"]],
    [{ price: built.price + 1 }, ["terms"]],
    [{ client: "someone-else" }, ["terms"]],
    [{ started_at: built.started_at - 1 }, ["terms"]],
  ])("finds that both signed %j against the terms", (members, expected) => {
    const lie = attestReceipt(signReceipt({ ...built, ...members }, MINER_KEY), COORDINATOR_KEY);
    expect(failures(check(lie, EVIDENCE, PINS))).toEqual(expected);
  });

  it("accepts more output than the receipt covers, since later segments follow", () => {
    const first = attestReceipt(
      signReceipt(
        buildReceipt(TERMS, outcomeOf(TERMS, 20, { outcome: "failed", endsJob: false })),
        MINER_KEY,
      ),
      COORDINATOR_KEY,
    );
    expect(check(first, EVIDENCE, PINS).verdict).toBe("verified");
  });
});

describe("verifyReceipt, names", () => {
  it("fails when provider is not the address of the key that signed", () => {
    const other = signReceipt(built, seededKey("other miner"));
    expect(failures(check(other, {}, PINS))).toEqual(["provider"]);
  });

  it("does not count an attestation under the key of nobody named", () => {
    const stranger = attestReceipt(built, seededKey("stranger"));
    const verification = check(stranger);
    expect(statuses(verification)["attestation"]).toBe("not_proven");
    expect(failures(verification)).toEqual(["signatures"]);
  });

  it("counts an attestation under another key of the coordinator that the caller named", () => {
    const second = seededKey("second coordinator key");
    const rotated = attestReceipt(signReceipt(built, MINER_KEY), second);
    const pins = { ...PINS, coordinatorKeys: [keyIdOf(second.publicKey)] };
    expect(check(rotated, EVIDENCE, pins).verdict).toBe("verified");
  });
});

describe("verifyReceipt, of a segment whose miner was lost", () => {
  it("proves what the last progress covers and says what rests on the coordinator alone", () => {
    const verification = check(lost, EVIDENCE, PINS);
    expect(verification.verdict).toBe("verified");
    expect(statuses(verification)).toMatchObject({
      miner_signature: "not_proven",
      progress: "proven",
      after_progress: "not_proven",
      provider: "proven",
      output: "proven",
    });
    const after = verification.lines.find((line) => line.check === "after_progress");
    expect(after?.detail).toBe(
      "bytes 20 to 30 lie past the miner's last signed progress and rest on the coordinator's attestation alone",
    );
  });

  it("does not know the miner when its key is not named", () => {
    expect(check(lost, {}, { coordinatorKeys: PINS.coordinatorKeys ?? [] }).verdict).toBe("signer_unknown");
  });

  const withProgress = (change: object): Receipt => {
    const { progress } = lost.metadata;
    if (!progress) throw new Error("no progress");
    return attestReceipt(
      { ...lost, metadata: { ...lost.metadata, progress: { ...progress, ...change } } },
      COORDINATOR_KEY,
    );
  };

  it.each([
    { bytes: 21 },
    { bytes: 31 },
    { units: 99 },
    { seq: 2 },
    { terms_hash: "0".repeat(64) },
    { key_id: keyIdOf(COORDINATOR_KEY.publicKey) },
  ])("fails when the coordinator changed the progress to %j", (change) => {
    expect(failures(check(withProgress(change), {}, PINS))).toEqual(["progress"]);
  });

  it.each([
    ["past the end of the segment", progressAt(TERMS, 31)],
    ["before its start", progressAt({ ...TERMS, start_byte: 0 }, 4)],
    ["for other terms of the same lease", progressAt({ ...TERMS, nonce: "other" }, 20)],
  ])("fails when the miner signed the progress %s", (_where, progress) => {
    const terms = { ...TERMS, start_byte: 8 };
    const outcome = outcomeOf(terms, 30, { outcome: "lease_lost", endsJob: false, progress });
    // Only the terms' hash may differ from what the progress was signed for.
    const receipt = buildReceipt(terms, outcome, termsHash(TERMS));
    const verification = check(attestReceipt(receipt, COORDINATOR_KEY), {}, PINS);
    expect(failures(verification)).toEqual(["progress"]);
  });

  it("fails when the progress was signed over another output", () => {
    const verification = check(lost, { output: utf8("x".repeat(30)) }, PINS);
    expect(failures(verification)).toEqual(["progress", "output"]);
  });

  it("fails in another realm", () => {
    expect(failures(check(lost, { realm: new Uint8Array(32) }, PINS))).toEqual(["progress"]);
  });
});

describe("verifyReceipt, of a miner without a key", () => {
  it("says that everything rests on the coordinator", () => {
    const verification = check(keyless, EVIDENCE, PINS);
    expect(verification.verdict).toBe("verified");
    expect(statuses(verification)).toMatchObject({ miner_signature: "not_proven", progress: "not_proven" });
  });
});

describe("verifyReceipt, of a job metered in tokens", () => {
  const tokenizer = readTinyTokenizer();
  const sha256 = "ab".repeat(32);
  const meters = createMeters([{ sha256, model_sha256: tokenizer.model_sha256, load: () => tokenizer }]);
  const meter = meters.forModel(`sha256:${tokenizer.model_sha256}`);
  const terms = { ...TERMS, meter: meter.name, prompt_units: promptUnits(meter, REQUEST) };
  const evidence: Evidence = { terms, request: REQUEST, output: OUTPUT, meters };

  /** A receipt that both sides signed over these units, for the output up to a byte. */
  function receiptOf(delivered_units: number, endByte = end): Receipt {
    const receipt = buildReceipt(terms, outcomeOf(terms, endByte, { delivered_units }));
    return attestReceipt(signReceipt(receipt, MINER_KEY), COORDINATOR_KEY);
  }
  const honest = segmentUnits(meter, "", fromUtf8("output", OUTPUT));

  it("proves the units of output and request with the tokenizer", () => {
    const verification = check(receiptOf(honest), evidence, PINS);
    expect(verification.verdict).toBe("verified");
    expect(statuses(verification)).toMatchObject({
      units: "proven",
      prompt_units: "proven",
      terms: "proven",
    });
    const line = verification.lines.find((one) => one.check === "units");
    expect(line?.detail).toMatch(`units recounted with meter ${meter.name}: ${honest} for`);
  });

  it.each([1, -1])("finds units that both sides signed and that are off by %i", (lie) => {
    expect(failures(check(receiptOf(honest + lie), evidence, PINS))).toEqual(["units"]);
  });

  it("finds a segment that ends within a character", () => {
    // The first byte of the dash, which has three.
    const cut = OUTPUT.indexOf(0xe2) + 1;
    expect(failures(check(receiptOf(honest, cut), evidence, PINS))).toEqual(["units"]);
  });

  it.each([
    ["the tokenizer", { meters: undefined }],
    ["the output", { output: undefined }],
  ])("says that nothing was counted without %s", (_what, missing) => {
    const verification = check(receiptOf(honest + 1), { ...evidence, ...missing }, PINS);
    expect(statuses(verification)).toMatchObject({ units: "not_proven" });
    expect(failures(verification)).toEqual([]);
  });

  it("does not count an output that is not the receipt's", () => {
    const verification = check(receiptOf(honest), { ...evidence, output: utf8("x".repeat(end)) }, PINS);
    expect(statuses(verification)).toMatchObject({ units: "not_proven", output: "failed" });
  });
});
