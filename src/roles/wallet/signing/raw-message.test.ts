import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../crypto/bytes.ts";
import { SIGNED_TYPES, signBytes } from "../../../crypto/sign-bytes.ts";
import { checkRawMessage } from "./raw-message.ts";

const refused = expect.objectContaining({ code: "SIGNING_REFUSED" });
const check = (text: string | Uint8Array): void =>
  checkRawMessage(typeof text === "string" ? utf8(text) : text);

describe("a raw message", () => {
  it.each(["", "hello", "aitbc", "aitbc:", "AITBC/x", " aitbc/", "{}", "[]", '"receipt_id"', "{broken"])(
    "%j is signed",
    (text) => {
      expect(() => check(text)).not.toThrow();
    },
  );

  it("that is JSON of another shape is signed", () => {
    for (const value of [
      { job_id: "j" },
      { units: 1 },
      { job_id: "j", unit: 1 },
      { nested: { receipt_id: "r" } },
      [{ receipt_id: "r" }],
      { receipt_ids: [] },
    ])
      expect(() => check(JSON.stringify(value))).not.toThrow();
  });

  it("with the network's tag is refused, whatever follows", () => {
    for (const type of SIGNED_TYPES) {
      expect(() => check(signBytes(type, new Uint8Array(32), "{}"))).toThrow(refused);
    }
    fc.assert(
      fc.property(fc.uint8Array(), (tail) => {
        expect(() => check(Uint8Array.from([...utf8("aitbc/"), ...tail]))).toThrow(refused);
      }),
    );
  });

  it.each([
    '{"receipt_id":"r"}',
    '{"job_id":"j","units":1}',
    '{"units":1,"a":[],"job_id":"j"}',
    '{"receipt_id":null}',
    ' \n\t{ "receipt_id" : "r" } \r\n',
    '\ufeff{"receipt_id":"r"}',
    '{"receipt\\u005fid":"r"}',
    '{"__proto__":1,"receipt_id":"r"}',
    '{"receipt_id":"r","receipt_id":"s"}',
    '{"receipt_id":"r","price":NaN}',
    '{"receipt_id":"r",}',
    '{"receipt\\u005Fid":"r","price":Infinity}',
    "{'receipt_id':'r'}",
    '{"job_id":"j","units":01}',
    '{"receipt_id":"r"} {"receipt_id":"s"}',
  ])("%s is refused, because a verifier could read a receipt", (text) => {
    expect(() => check(text)).toThrow(refused);
  });

  it("is refused with a receipt's members among any others", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.constantFrom({ receipt_id: "r" }, { job_id: "j", units: 1 }),
        fc.boolean(),
        (others, receipt, first) => {
          const value = first ? { ...receipt, ...others } : { ...others, ...receipt };
          expect(() => check(JSON.stringify(value, null, first ? 2 : undefined))).toThrow(refused);
        },
      ),
    );
  });
});
