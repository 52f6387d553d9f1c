import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/harness/clock.ts";
import { FAILURES_TO_OPEN, ModelBreaker, OPEN_BASE_MS } from "./model-breaker.ts";

const ERROR = "ENGINE_FAILED: no memory";

function openBreaker() {
  const clock = new TestClock();
  const breaker = new ModelBreaker(clock);
  const fail = (times: number, model = "x"): void => {
    for (let failure = 0; failure < times; failure++) breaker.failed("m", model, ERROR);
  };
  return { clock, breaker, fail };
}

describe("a model that fails on one miner", () => {
  it("gets no job there after some failures in a row, while other models and miners do", () => {
    const { breaker, fail } = openBreaker();
    fail(FAILURES_TO_OPEN - 1);
    expect(breaker.state("m", "x")).toBe("closed");
    breaker.succeeded("m", "x");
    fail(FAILURES_TO_OPEN - 1);
    expect(breaker.whyNot("m", "x")).toBeUndefined();
    fail(1);
    expect(breaker.state("m", "x")).toBe("open");
    expect(breaker.whyNot("m", "x")).toMatch(/no job for model x for another 15 s: 3 attempts .* no memory/);
    expect(breaker.blocked("m")).toEqual(["x"]);
    expect(breaker.whyNot("m", "y")).toBeUndefined();
    expect(breaker.whyNot("n", "x")).toBeUndefined();
  });

  it("is tried with one job after its time, which closes the circuit or opens it for longer", () => {
    const { clock, breaker, fail } = openBreaker();
    fail(FAILURES_TO_OPEN);
    clock.advance(OPEN_BASE_MS + 1);
    expect(breaker.state("m", "x")).toBe("half-open");
    expect(breaker.whyNot("m", "x")).toBeUndefined();
    breaker.began("m", "x");
    expect(breaker.whyNot("m", "x")).toContain("tries with another job");
    breaker.ended("m", "x");
    fail(1);
    clock.advance(OPEN_BASE_MS + 1);
    expect(breaker.state("m", "x")).toBe("open");
    clock.advance(OPEN_BASE_MS);
    expect(breaker.state("m", "x")).toBe("half-open");
    breaker.began("m", "x");
    breaker.succeeded("m", "x");
    expect(breaker.state("m", "x")).toBe("closed");
    fail(1);
    expect(breaker.state("m", "x")).toBe("closed");
  });

  it("is tried again when the trying job was canceled", () => {
    const { clock, breaker, fail } = openBreaker();
    fail(FAILURES_TO_OPEN);
    clock.advance(OPEN_BASE_MS + 1);
    breaker.began("m", "x");
    breaker.ended("m", "x");
    expect(breaker.whyNot("m", "x")).toBeUndefined();
  });
});
