import { describe, expect, it } from "vitest";
import { AppError } from "./errors.ts";
import { Lifecycle, type Part } from "./lifecycle.ts";
import { createLog } from "./log.ts";

const STOP_MS = 20;
const log = createLog({ level: "silent", format: "json", terminal: false });

function part(name: string, events: string[], overrides: Partial<Part> = {}): Part {
  return {
    name,
    start: async () => {
      events.push(`+${name}`);
    },
    stop: async () => {
      events.push(`-${name}`);
    },
    ...overrides,
  };
}

describe("lifecycle", () => {
  it("starts in order and stops in reverse", async () => {
    const events: string[] = [];
    const lifecycle = new Lifecycle(log, STOP_MS);
    await lifecycle.start([part("a", events), part("b", events)]);
    await lifecycle.stop();
    expect(events).toEqual(["+a", "+b", "-b", "-a"]);
  });

  it("stops what had started when a part cannot start, and tells why", async () => {
    const events: string[] = [];
    const lifecycle = new Lifecycle(log, STOP_MS);
    const broken = part("b", events, {
      start: async () => {
        throw new AppError("INVALID_CONFIG", "no such thing");
      },
    });
    await expect(lifecycle.start([part("a", events), broken, part("c", events)])).rejects.toThrow(
      "no such thing",
    );
    expect(events).toEqual(["+a", "-b", "-a"]);
  });

  it("tells running parts that it stops before it stops them", async () => {
    const events: string[] = [];
    const lifecycle = new Lifecycle(log, STOP_MS);
    const listening = part("a", events, {
      start: async (signal) => {
        signal.addEventListener("abort", () => events.push("told"));
      },
    });
    await lifecycle.start([listening]);
    await lifecycle.stop();
    expect(events).toEqual(["told", "-a"]);
  });

  it("leaves a part behind that does not stop in time, and goes on when one fails to", async () => {
    const events: string[] = [];
    const lifecycle = new Lifecycle(log, STOP_MS);
    const stuck = part("stuck", events, { stop: () => new Promise(() => {}) });
    const failing = part("failing", events, { stop: () => Promise.reject(new Error("broken")) });
    await lifecycle.start([part("a", events), failing, stuck]);
    await lifecycle.stop();
    expect(events).toEqual(["+a", "+failing", "+stuck", "-a"].filter((event) => events.includes(event)));
  });

  it("stops once, however often it is asked", async () => {
    const events: string[] = [];
    const lifecycle = new Lifecycle(log, STOP_MS);
    await lifecycle.start([part("a", events)]);
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    expect(events).toEqual(["+a", "-a"]);
  });
});
