import { describe, expect, it } from "vitest";
import { createChannelPair } from "./channel.ts";

describe("createChannelPair", () => {
  it("delivers in order, also what came before the first listener", async () => {
    const [a, b] = createChannelPair({ direct: false });
    a.send("1");
    await Promise.resolve();
    const heard: string[] = [];
    b.onFrame((frame) => heard.push(frame));
    a.send("2");
    await Promise.resolve();
    expect(heard).toEqual(["1", "2"]);
  });

  it("hands frames over as they are, in their order with those that go as text", async () => {
    const [a, b] = createChannelPair({ direct: true });
    const heard: unknown[] = [];
    b.onFrame((frame) => heard.push(frame));
    b.direct?.onFrame((frame) => heard.push(frame));
    const frame = { type: "chunk" };
    a.send("1");
    a.direct?.send(frame);
    a.send("2");
    a.close(1000, "done");
    a.direct?.send({ type: "late" });
    await new Promise<string>((resolve) => b.onClose(resolve));
    expect(heard).toEqual(["1", frame, "2"]);
    expect(heard[1]).toBe(frame);
  });

  it("delivers what was sent before a close, and nothing after it", async () => {
    const [a, b] = createChannelPair({ direct: false });
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
