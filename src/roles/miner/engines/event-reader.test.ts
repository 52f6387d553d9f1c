import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readEvents } from "./event-reader.ts";

describe("events of an answer", () => {
  it("are not read on while nobody takes them", async () => {
    const answer = new Readable({ read: () => {} });
    const gate = Promise.withResolvers<void>();
    const first = Promise.withResolvers<void>();
    const taken: string[] = [];
    const reading = readEvents(answer, (data) => {
      taken.push(data);
      if (data !== "1") return undefined;
      first.resolve();
      return gate.promise;
    });
    answer.push("data: 1\n\ndata: 2\n\n");
    await first.promise;
    answer.push("data: 3\n\n");
    expect(answer.isPaused()).toBe(true);
    expect(answer.readableLength).toBeGreaterThan(0);
    expect(taken).toEqual(["1"]);
    gate.resolve();
    answer.push(null);
    await reading;
    expect(taken).toEqual(["1", "2", "3"]);
  });

  it("end with the one that says so, and nothing is told after it", async () => {
    const answer = new Readable({ read: () => {} });
    const taken: string[] = [];
    const reading = readEvents(answer, (data) => {
      taken.push(data);
      return "enough";
    });
    answer.push("data: 1\n\ndata: 2\n\n");
    await reading;
    answer.destroy(new Error("late"));
    expect(taken).toEqual(["1"]);
  });
});
