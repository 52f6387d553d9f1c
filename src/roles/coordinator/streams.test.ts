import { describe, expect, it } from "vitest";
import { CHUNK_PAGE } from "./limits.ts";
import { Streams } from "./streams.ts";

const JOB = "0199f3a2c4d17b0e8a52c1d07f3b6e94";
const never = new AbortController().signal;
const LONG_MS = 10_000;
const chunk = (seq: number, text = "x") => ({ seq, segment: 1, text });

describe("streams", () => {
  it("serve the newest chunks from after any number that the ring still covers", () => {
    const streams = new Streams();
    streams.attach(JOB);
    for (const seq of [1, 2, 3]) streams.publish(JOB, chunk(seq));
    expect(streams.look(JOB, 0).chunks?.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(streams.look(JOB, 2).chunks?.map(({ seq }) => seq)).toEqual([3]);
    expect(streams.look(JOB, 3).chunks).toEqual([]);
  });

  it("send readers to the database for what the ring does not cover", () => {
    const streams = new Streams();
    streams.attach(JOB);
    expect(streams.look(JOB, 0).chunks).toBeUndefined();
    streams.publish(JOB, chunk(5));
    expect(streams.look(JOB, 0).chunks).toBeUndefined();
    expect(streams.look(JOB, 4).chunks?.map(({ seq }) => seq)).toEqual([5]);
  });

  it("hold a bounded amount of text", () => {
    const streams = new Streams();
    streams.attach(JOB);
    for (let seq = 1; seq <= 100; seq++) streams.publish(JOB, chunk(seq, "x".repeat(10_000)));
    const held = streams.look(JOB, 99).chunks;
    expect(held?.map(({ seq }) => seq)).toEqual([100]);
    expect(streams.look(JOB, 50).chunks).toBeUndefined();
  });

  it("hold a bounded number of chunks, and hand out a page at most", () => {
    const streams = new Streams();
    streams.attach(JOB);
    for (let seq = 1; seq <= 5000; seq++) streams.publish(JOB, chunk(seq));
    expect(streams.look(JOB, 5000 - 1025).chunks).toBeUndefined();
    const page = streams.look(JOB, 5000 - 1024).chunks;
    expect(page?.map(({ seq }) => seq)).toEqual(Array.from({ length: CHUNK_PAGE }, (_, n) => 3977 + n));
  });

  it("start anew after a gap, so that none is served across it", () => {
    const streams = new Streams();
    streams.attach(JOB);
    streams.publish(JOB, chunk(1));
    streams.publish(JOB, chunk(3));
    expect(streams.look(JOB, 0).chunks).toBeUndefined();
    expect(streams.look(JOB, 2).chunks?.map(({ seq }) => seq)).toEqual([3]);
  });

  it("wake a waiting reader, and miss nothing between looking and waiting", async () => {
    const streams = new Streams();
    streams.attach(JOB);
    const before = streams.look(JOB, 0).version;
    streams.publish(JOB, chunk(1));
    await streams.watch(JOB, never).wait(before, LONG_MS);
    const { version } = streams.look(JOB, 0);
    const waiting = streams.watch(JOB, never).wait(version, LONG_MS);
    streams.changed(JOB);
    await waiting;
    expect(streams.look(JOB, 0).stateVersion).toBe(version + 1);
  });

  it("let a reader go when its signal aborts", async () => {
    const streams = new Streams();
    streams.attach(JOB);
    const abort = new AbortController();
    const waiting = streams.watch(JOB, abort.signal).wait(streams.look(JOB, 0).version, LONG_MS);
    abort.abort();
    await waiting;
  });

  it("forget a job that nobody reads", () => {
    const streams = new Streams();
    const detach = streams.attach(JOB);
    streams.publish(JOB, chunk(1));
    detach();
    expect(streams.readers).toBe(0);
    expect(streams.look(JOB, 0).chunks).toBeUndefined();
  });
});
