import { Counter, Gauge, Histogram, Registry } from "prom-client";

export type { Counter, Gauge, Histogram };

/** Upper bounds of durations, in seconds: from one fsync to a long answer. */
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Makes metrics in one registry, in Prometheus' naming: `aitbc_<role>_<thing>_<unit|total>`. */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  /** A gauge whose value is read when the metrics are scraped. */
  observed(name: string, help: string, read: () => number): void;
  seconds<L extends string>(name: string, help: string, labels?: readonly L[]): Histogram<L>;
  /** A histogram of what is no duration, with the upper bounds of its buckets. */
  histogram<L extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>;
  /** All metrics in Prometheus' text format. */
  render(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    contentType: registry.contentType,
    counter: (name, help, labels = []) => new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = []) => new Gauge({ name, help, labelNames: [...labels], registers }),
    observed(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    seconds: (name, help, labels = []) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: SECONDS_BUCKETS, registers }),
    histogram: (name, help, buckets, labels = []) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    render: () => registry.metrics(),
  };
}
