import { describe, expect, it } from "vitest";
import { createChannelPair } from "./channel.ts";

describe("createChannelPair", () => {
  it("delivers in order, also what came before the first listener", async () => {
    const [a, b] = createChannelPair();
    a.send("1");
    await Promise.resolve();
    const heard: string[] = [];
    b.onFrame((frame) => heard.push(frame));
    a.send("2");
    await Promise.resolve();
    expect(heard).toEqual(["1", "2"]);
  });

  it("delivers what was sent before a close, and nothing after it", async () => {
    const [a, b] = createChannelPair();
    const heard: string[] = [];
    b.onFrame((frame) => heard.push(frame));
    const closed = new Promise<string>((resolve) => b.onClose(resolve));
    a.send("last");
    a.close(1000, "done");
    a.send("late");
    b.send("back");
    expect(await closed).toBe("done");
    expect(heard).toEqual(["last"]);
    expect(await new Promise<string>((resolve) => a.onClose(resolve))).toBe("done");
  });
});
