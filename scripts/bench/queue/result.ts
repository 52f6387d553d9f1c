import { median } from "./stats.ts";

/** How long and how often rates are measured. */
export interface Plan {
  readonly seconds: number;
  readonly runs: number;
}

/** One measured number, beside its target and beside the same code with a commit for each operation. */
export interface Result {
  readonly what: string;
  readonly unit: "/s" | "ms" | "×" | "MB";
  readonly value: number;
  /** All runs, of which `value` is the median. */
  readonly runs: readonly number[];
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
  /** Median with one operation a commit. */
  readonly baseline?: number;
  readonly note?: string;
}

/** The median of some runs as a result. */
export function ofRuns(runs: readonly number[], rest: Omit<Result, "value" | "runs">): Result {
  return { ...rest, value: median(runs), runs };
}

export function isMet({ value, target }: Result): boolean | undefined {
  if (!target) return undefined;
  return "atLeast" in target ? value >= target.atLeast : value <= target.atMost;
}

const format = (value: number, unit: Result["unit"]): string =>
  `${value.toLocaleString("en", { maximumFractionDigits: unit === "/s" ? 0 : 2 })} ${unit}`;

/** The results as a Markdown table. */
export function toTable(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { what, unit, value, runs, target, baseline, note } = result;
    const goal = !target
      ? ""
      : "atLeast" in target
        ? `≥ ${format(target.atLeast, unit)}`
        : `≤ ${format(target.atMost, unit)}`;
    const spread =
      runs.length > 1 ? `${format(Math.min(...runs), unit)} – ${format(Math.max(...runs), unit)}` : "";
    const met = isMet(result);
    return [
      what,
      `**${format(value, unit)}**`,
      goal,
      met === undefined ? "" : met ? "met" : "MISSED",
      spread,
      baseline === undefined ? "" : format(baseline, unit),
      note ?? "",
    ];
  });
  const head = ["measured", "median", "target", "", "runs", "one commit an operation", "note"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
