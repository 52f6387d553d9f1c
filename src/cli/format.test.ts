import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { printResult } from "./format.ts";

describe("printResult", () => {
  it("waits for a slow reader: the process ends when the command does", async () => {
    let drained: () => void = () => {};
    const stdout = {
      write: () => false,
      once: (_event: "drain", listener: () => void) => {
        drained = listener;
      },
    };
    let done = false;
    const printed = printResult({ stdout }, "json", {}, () => "").then(() => {
      done = true;
    });
    await turn();
    expect(done).toBe(false);
    drained();
    await printed;
    expect(done).toBe(true);
  });
});
