import { describe, expect, it } from "vitest";
import { Pump, type Pumped } from "./pump.ts";

/** Lets all microtasks run that are due. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A batch of some lines that notes what it submits. */
function batch(log: string[], name: string, lines: number, model = "m"): Pumped {
  let left = lines;
  return {
    ownerId: name.slice(0, 1),
    model,
    get ready() {
      return left > 0;
    },
    async submitNext() {
      left--;
      log.push(name);
    },
  };
}

describe("the pump", () => {
  it("lets owners take turns, and the batches of each", async () => {
    const log: string[] = [];
    let room = 0;
    const pump = new Pump(() => room - log.length);
    for (const name of ["a1", "a2", "b1"]) pump.add(batch(log, name, 100));
    room = 8;
    pump.nudge();
    await settled();
    expect(log).toEqual(["a1", "b1", "a2", "b1", "a1", "b1", "a2", "b1"]);
  });

  it("submits no more than there is room for, by model, counting what is under way", async () => {
    const log: string[] = [];
    const pump = new Pump((model) => (model === "m" ? 3 : 0) - log.length);
    pump.add(batch(log, "a", 100));
    pump.add(batch(log, "b", 100, "nobody-has-it"));
    pump.nudge();
    await settled();
    expect(log).toEqual(["a", "a", "a"]);
  });

  it("submits some at a time, and goes on when they are through", async () => {
    const begun: (() => void)[] = [];
    const pump = new Pump(() => 100);
    const slow: Pumped = {
      ownerId: "a",
      model: "m",
      ready: true,
      submitNext: () => new Promise((resolve) => begun.push(resolve)),
    };
    pump.add(slow);
    await settled();
    expect(begun).toHaveLength(8);
    begun[0]?.();
    await settled();
    expect(begun).toHaveLength(9);
    pump.remove(slow);
  });
});
