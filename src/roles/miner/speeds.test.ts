import { describe, expect, it } from "vitest";
import { createMetrics } from "../../kernel/metrics.ts";
import { Speeds } from "./speeds.ts";

function create(): { speeds: Speeds; metrics: ReturnType<typeof createMetrics> } {
  const metrics = createMetrics();
  return { metrics, speeds: new Speeds(metrics.gauge("aitbc_test", "Test", ["model"])) };
}

describe("speeds", () => {
  it("are the tokens after the first, over the time since it, of all runs together", async () => {
    const { speeds, metrics } = create();
    expect(speeds.of("a").tokens_per_second).toBeNull();
    speeds.record("a", 101, 1000);
    expect(speeds.of("a").tokens_per_second).toBe(100);
    speeds.record("a", 301, 3000 + 4000);
    expect(speeds.of("a").tokens_per_second).toBe(50);
    expect(speeds.of("b").tokens_per_second).toBeNull();
    expect(await metrics.render()).toContain('aitbc_test{model="a"} 50');
  });

  it("follow a machine that slows down", () => {
    const { speeds } = create();
    for (let run = 0; run < 16; run++) speeds.record("a", 101, 1000);
    expect(speeds.of("a").tokens_per_second).toBe(100);
    for (let run = 0; run < 16; run++) speeds.record("a", 11, 1000);
    expect(speeds.of("a").tokens_per_second).toBe(10);
  });

  it("learn nothing from runs that tell nothing", () => {
    const { speeds } = create();
    speeds.record("a", 1, 1000);
    speeds.record("a", 50, 0);
    expect(speeds.of("a").tokens_per_second).toBeNull();
  });

  it("tell how long a model took to load the last time", () => {
    const { speeds } = create();
    speeds.recordLoad("a", 900.4);
    speeds.recordLoad("a", 1200.6);
    expect(speeds.of("a")).toEqual({ tokens_per_second: null, load_ms: 1201 });
  });

  it("are worth telling when they are new, or differ by more than a tenth", () => {
    const { speeds } = create();
    const unknown = { tokens_per_second: null };
    expect(speeds.differs("a", unknown)).toBe(false);
    speeds.record("a", 101, 1000);
    expect(speeds.differs("a", unknown)).toBe(true);
    expect(speeds.differs("a", { tokens_per_second: 95 })).toBe(false);
    expect(speeds.differs("a", { tokens_per_second: 90 })).toBe(true);
    speeds.recordLoad("a", 1000);
    expect(speeds.differs("a", { tokens_per_second: 100 })).toBe(true);
    expect(speeds.differs("a", { tokens_per_second: 100, load_ms: 1050 })).toBe(false);
  });
});
