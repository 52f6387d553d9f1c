import { describe, expect, it } from "vitest";
import { createBus } from "./bus.ts";

interface Events {
  "thing.happened": { readonly value: number };
}

describe("bus", () => {
  it("tells every listener, in the order in which they subscribed", () => {
    const bus = createBus<Events>(() => {});
    const heard: string[] = [];
    bus.on("thing.happened", ({ value }) => heard.push(`a${value}`));
    bus.on("thing.happened", ({ value }) => heard.push(`b${value}`));
    bus.emit("thing.happened", { value: 1 });
    expect(heard).toEqual(["a1", "b1"]);
  });

  it("reports a listener that throws, and goes on with the others", () => {
    const reported: string[] = [];
    const bus = createBus<Events>((name, error) => reported.push(`${name}: ${(error as Error).message}`));
    let heard = 0;
    bus.on("thing.happened", () => {
      throw new Error("broken");
    });
    bus.on("thing.happened", () => heard++);
    bus.emit("thing.happened", { value: 1 });
    expect(reported).toEqual(["thing.happened: broken"]);
    expect(heard).toBe(1);
  });

  it("stops telling a listener that has unsubscribed", () => {
    const bus = createBus<Events>(() => {});
    let heard = 0;
    const unsubscribe = bus.on("thing.happened", () => heard++);
    unsubscribe();
    bus.emit("thing.happened", { value: 1 });
    expect(heard).toBe(0);
  });
});
