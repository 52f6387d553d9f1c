import { countLabel, type Gpu, printable } from "./gpu.ts";

/** What nvidia-smi is asked for: one line a card, plain numbers. */
export const NVIDIA_QUERY = [
  "--query-gpu=name,memory.total,driver_version",
  "--format=csv,noheader,nounits",
] as const;

/**
 * Parses the answer to `NVIDIA_QUERY`: `NVIDIA H100 PCIe, 81559, 550.54.15`, memory in MiB. A card that shares the
 * machine's memory says `[N/A]`, which counts as none of its own. Other lines (warnings, errors) are no card.
 */
export function parseNvidiaCards(text: string): Gpu[] {
  return text.split("\n").flatMap((line) => {
    // A name may hold a comma; the two members behind it cannot.
    const match = /^(.+),\s*(\d+|\[[^\]]*\])\s*,\s*[\d.]+\s*$/.exec(line.trim());
    if (!match) return [];
    const [, name = "", memory = ""] = match;
    return [{ name: printable(name), memory_mb: Number(memory) || 0 }];
  });
}

/** What the plain output of nvidia-smi says besides the cards. */
export interface NvidiaOverview {
  /** Newest CUDA that the driver runs, as `12.4`; null where it says none. */
  readonly cuda: string | null;
  /** Cards (by index) that are split with MIG: a process sees only one part, never the whole card. */
  readonly split: ReadonlySet<number>;
  /** The parts: the card each belongs to, and its memory. */
  readonly parts: readonly { readonly card: number; readonly memory_mb: number }[];
}

/** Drivers from 610 on call it the version of CUDA's user mode driver. */
const CUDA = /CUDA (?:UMD )?Version:\s*(\d+\.\d+)/;
const CARD_ROW = /^\|\s+(\d+)\s+\S.*\|\s+[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d/;
/** Third line of a card: the mode in force; a star says that it changes with the next reset. */
const MIG_ON = /\|\s+Enabled\*?\s+\|$/;
const PART_ROW = /^\|\s+(\d+)\s+\d+\s+\d+\s+\d+\s+\|\s*\d+MiB\s*\/\s*(\d+)MiB\s*\|/;

/** Parses the plain output of nvidia-smi (drivers 450 to 610 write these tables). */
export function parseNvidiaOverview(text: string): NvidiaOverview {
  const split = new Set<number>();
  const parts: { card: number; memory_mb: number }[] = [];
  let card: number | undefined;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    const row = CARD_ROW.exec(line);
    if (row) card = Number(row[1]);
    else if (card !== undefined && MIG_ON.test(line)) split.add(card);
    if (line.includes("MIG devices:")) card = undefined;
    const part = PART_ROW.exec(line);
    if (part) parts.push({ card: Number(part[1]), memory_mb: Number(part[2]) });
  }
  return { cuda: CUDA.exec(text)?.[1] ?? null, split, parts };
}

/**
 * What jobs can use: whole cards, and for a split card its parts. A part is named apart from its card: whoever
 * asks for that card by name means all of it. A split card without parts offers nothing.
 */
export function nvidiaGpus(cards: readonly Gpu[], { split, parts }: NvidiaOverview): Gpu[] {
  return cards.flatMap((card, index) => {
    if (!split.has(index)) return [card];
    return parts
      .filter((part) => part.card === index)
      .map(({ memory_mb }) => ({ name: printable(`${card.name} MIG`), memory_mb }));
  });
}

/** Why nvidia-smi named no card that can be used: its own words, or what MIG leaves. */
export function explainNoNvidia(cards: readonly Gpu[], answer: string): string {
  if (cards.length > 0) return `${countLabel(cards.length, "card")} split with MIG, without a part to use`;
  const [first = ""] = answer.trim().split("\n");
  return first === "" ? "names no card" : first.trim();
}
