/** How long, how often and with how many streams is measured. */
export interface Plan {
  readonly seconds: number;
  /** Medians are taken of so many rounds. */
  readonly rounds: number;
  readonly streams: readonly number[];
}

/** One measured number, with its target and with what the other gateway did in the same run. */
export interface Finding {
  readonly what: string;
  readonly unit: "ms" | "/s" | "MB";
  readonly value: number;
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
  readonly other?: number;
  /** Whether it must not lie above the other gateway's. */
  readonly beatsOther?: boolean;
  readonly note?: string;
}

/** undefined where nothing is to be reached. */
export function isMet({ value, target, other, beatsOther }: Finding): boolean | undefined {
  const above = beatsOther && other !== undefined && value > other;
  if (!target) return beatsOther ? !above : undefined;
  return ("atLeast" in target ? value >= target.atLeast : value <= target.atMost) && !above;
}

const format = (value: number, unit: Finding["unit"]): string =>
  `${value.toLocaleString("en", { maximumFractionDigits: unit === "/s" ? 0 : 2 })} ${unit}`;

/** The findings as a Markdown table. */
export function toTable(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => {
    const { what, unit, value, target, other, note } = finding;
    const goal = !target
      ? ""
      : "atLeast" in target
        ? `≥ ${format(target.atLeast, unit)}`
        : `≤ ${format(target.atMost, unit)}`;
    const met = isMet(finding);
    const verdict = met === undefined ? "" : met ? "met" : "MISSED";
    return [
      what,
      `**${format(value, unit)}**`,
      goal,
      verdict,
      other === undefined ? "" : format(other, unit),
      note ?? "",
    ];
  });
  const head = ["measured", "median", "target", "", "other gateway", "note"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
