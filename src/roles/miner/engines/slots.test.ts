import { describe, expect, it } from "vitest";
import { Slots } from "./slots.ts";

const { signal } = new AbortController();

/** Takes a slot and notes that it has it. */
function take(slots: Slots, name: string, order: string[]): void {
  void slots.take(signal).then(() => order.push(name));
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("slots", () => {
  it("are given out in the order of coming", async () => {
    const slots = new Slots(1);
    const order: string[] = [];
    for (const name of ["a", "b", "c"]) take(slots, name, order);
    await settle();
    expect(order).toEqual(["a"]);
    slots.release();
    await settle();
    expect(order).toEqual(["a", "b"]);
  });

  it("change their number when all are free, and nobody gets one before", async () => {
    const slots = new Slots(2);
    const order: string[] = [];
    take(slots, "a", order);
    await settle();
    slots.resize(3, () => order.push("ready"));
    for (const name of ["b", "c", "d", "e"]) take(slots, name, order);
    await settle();
    expect(order).toEqual(["a"]);
    expect(slots.count).toBe(2);
    slots.release();
    await settle();
    expect(order).toEqual(["a", "ready", "b", "c", "d"]);
    expect(slots.count).toBe(3);
  });

  it("change at once when none is taken, also to fewer", async () => {
    const slots = new Slots(2);
    const order: string[] = [];
    slots.resize(1, () => order.push("ready"));
    for (const name of ["a", "b"]) take(slots, name, order);
    await settle();
    expect(order).toEqual(["ready", "a"]);
  });
});
