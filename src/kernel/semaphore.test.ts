import { describe, expect, it } from "vitest";
import { Semaphore } from "./semaphore.ts";

/** Work that says when it began, and ends when it is told to. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const state = { began: false, end: resolve, fail: reject };
  return Object.assign(state, {
    run: () => {
      state.began = true;
      return promise;
    },
  });
}

describe("a semaphore", () => {
  it("lets so many in at once, and the others in their order, whether one before succeeds or fails", async () => {
    const semaphore = new Semaphore(2, 10);
    const works = Array.from({ length: 4 }, work);
    const runs = works.map(({ run }) => semaphore.run(run));
    const began = (): boolean[] => works.map((one) => one.began);
    await Promise.resolve();
    expect(began()).toEqual([true, true, false, false]);
    works[1]?.fail(new Error("no"));
    await expect(runs[1]).rejects.toThrow("no");
    expect(began()).toEqual([true, true, true, false]);
    works[0]?.end();
    await runs[0];
    expect(began()).toEqual([true, true, true, true]);
    for (const { end } of works) end();
    await Promise.all([runs[2], runs[3]]);
    await expect(semaphore.run(async () => "free again")).resolves.toBe("free again");
  });

  it("turns away who comes when too many wait", async () => {
    const semaphore = new Semaphore(1, 1);
    const [first, second, third] = [work(), work(), work()];
    const runs = [semaphore.run(first.run), semaphore.run(second.run)];
    await expect(semaphore.run(third.run)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect(third.began).toBe(false);
    first.end();
    second.end();
    await Promise.all(runs);
  });
});
