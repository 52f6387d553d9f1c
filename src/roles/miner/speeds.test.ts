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
    expect(speeds.of("a")).toBeNull();
    speeds.record("a", 101, 1000);
    expect(speeds.of("a")).toBe(100);
    speeds.record("a", 301, 3000 + 4000);
    expect(speeds.of("a")).toBe(50);
    expect(speeds.of("b")).toBeNull();
    expect(await metrics.render()).toContain('aitbc_test{model="a"} 50');
  });

  it("follow a machine that slows down", () => {
    const { speeds } = create();
    for (let run = 0; run < 16; run++) speeds.record("a", 101, 1000);
    expect(speeds.of("a")).toBe(100);
    for (let run = 0; run < 16; run++) speeds.record("a", 11, 1000);
    expect(speeds.of("a")).toBe(10);
  });

  it("learn nothing from runs that tell nothing", () => {
    const { speeds } = create();
    speeds.record("a", 1, 1000);
    speeds.record("a", 50, 0);
    expect(speeds.of("a")).toBeNull();
  });
});
