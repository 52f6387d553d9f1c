import { describe, expect, it } from "vitest";
import { type Scope, Session } from "./session.ts";

const SCOPE: Scope = { operations: ["sign_document"], maxAmount: 10n, idleMs: 100, maxMs: 1000 };
const at = (monotonic: number) => ({ monotonic, unix: 1_800_000_000_000 + monotonic });
const open = (scope: Partial<Scope> = {}) => new Session("s", "w", { ...SCOPE, ...scope }, at(0));
const refused = expect.objectContaining({ code: "OUTSIDE_SCOPE" });

describe("an unlock session", () => {
  it("does what its scope names, and nothing else", () => {
    const session = open();
    session.use("sign_document", 0n, at(1));
    expect(() => session.use("sign_message", 0n, at(2))).toThrow(refused);
  });

  it("moves its amount in all, and not a µAIT more", () => {
    const session = open();
    session.use("sign_document", 4n, at(1));
    expect(() => session.use("sign_document", 7n, at(2))).toThrow(refused);
    const giveBack = session.use("sign_document", 6n, at(3));
    expect(() => session.use("sign_document", 1n, at(4))).toThrow(refused);
    giveBack();
    session.use("sign_document", 6n, at(5));
    expect(session.view()).toMatchObject({ max_amount_uait: "10", spent_uait: "10" });
  });

  it("ends when it is not used, and each use puts that off", () => {
    const session = open();
    expect(session.whyEnded(at(99))).toBeUndefined();
    expect(session.whyEnded(at(100))).toBe("idle");
    session.use("sign_document", 0n, at(99));
    expect(session.whyEnded(at(198))).toBeUndefined();
    expect(session.whyEnded(at(199))).toBe("idle");
  });

  it("is not kept alive by uses that it refuses", () => {
    const session = open();
    expect(() => session.use("sign_message", 0n, at(99))).toThrow(refused);
    expect(session.whyEnded(at(100))).toBe("idle");
  });

  it("ends at its time, however often it is used", () => {
    const session = open();
    for (let now = 50; now < 1000; now += 50) session.use("sign_document", 0n, at(now));
    expect(session.whyEnded(at(999))).toBeUndefined();
    expect(session.whyEnded(at(1000))).toBe("expired");
  });
});
