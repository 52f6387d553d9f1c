import { describe, expect, it } from "vitest";
import { fromHex, toBase64Url } from "../../src/crypto/bytes.ts";
import { SecretKey, sign } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { keyIdOf } from "../../src/domain/receipt/sign.ts";
import { verifyReceipt } from "../../src/domain/receipt/verify.ts";

/** A receipt that existing verifiers accept, with the values they give for it. */
const SECRET_KEY = "e2c35a46318ec09cf1cc04f06c4ba18bf2cd3f0ed318d986f01228bdbf9fd326";
const PAYLOAD =
  '{"artifact_hash":"sha256:deadbeef...","chain_id":12345,"client":"ait1clientabc...","completed_at":1695720002,"coordinator_id":"coord-eu-west-1","job_id":"job-abc123","model":"runwayml/stable-diffusion-v1-5","nonce":"b7f3d10b","price":4.2,"prompt_hash":"sha256:cf1f...","provider":"ait1minerxyz...","receipt_id":"rcpt-20250926-000123","started_at":1695720000,"unit_type":"gpu_seconds","units":1.9,"version":"1.0"}';
const KEY_ID = "TJvH0A9pkk0c3uQMNlCivLs3GR3i1T2TtfIbLT0n29Q";
const SIG = "fSmokpSz5-qf0XwwuBOBNseIONRM3Y6Bmrko4oE6mY0nS_noq_3zQ9y87Cd3IkMct3S5Ve-URC7D8TVBiBkvAg";
const HASH = "195326a790912e675caeb4e207d9a093b495474b37911d26f1476115450fa6f3";

const withSignature = (members: object): string =>
  JSON.stringify(
    { ...JSON.parse(PAYLOAD), signature: { alg: "Ed25519", key_id: KEY_ID, sig: SIG }, ...members },
    null,
    2,
  );

describe("the known-good receipt of existing verifiers", () => {
  it("has the published bytes, key and signature", () => {
    const key = new SecretKey(fromHex("key", SECRET_KEY));
    const { bytes } = parseReceipt(PAYLOAD);
    expect(sha256Hex(bytes)).toBe(HASH);
    expect(keyIdOf(key.publicKey)).toBe(KEY_ID);
    expect(toBase64Url(sign(bytes, key))).toBe(SIG);
  });

  it("verifies from an indented file with null members, once its key is named", () => {
    const parsed = parseReceipt(withSignature({ metadata: null, attestations: [] }));
    expect(verifyReceipt(parsed, {}, { minerKeys: [KEY_ID] })).toMatchObject({
      verdict: "verified",
      receiptHash: HASH,
    });
    expect(verifyReceipt(parsed).verdict).toBe("signer_unknown");
  });

  it.each([{ units: 1.8 }, { price: 4 }, { chain_id: null }, { tip: 1 }])("is invalid with %j", (members) => {
    expect(verifyReceipt(parseReceipt(withSignature(members))).verdict).toBe("invalid");
  });

  it("is invalid when a number is spelled in another way", () => {
    expect(verifyReceipt(parseReceipt(withSignature({}).replace("4.2", "4.20"))).verdict).toBe("invalid");
  });
});
