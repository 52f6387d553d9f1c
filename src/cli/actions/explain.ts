import type { CandidateView, JobExplanation } from "../../wire/explain.ts";
import { formatTable } from "../format.ts";
import { toSafeText } from "../io.ts";

const COLUMNS = ["miner", "score", "load", "model loaded", "has conversation", "why not"];

/** Lays an explanation out for people: the sentences, then what each miner scored. */
export function formatExplanation({ text, candidates, leases }: JobExplanation): string {
  const shown = candidates ?? leases.at(-1)?.candidates ?? [];
  const sentences = text.map((sentence) => toSafeText(sentence)).join("\n");
  return shown.length === 0 ? sentences : `${sentences}\n\n${formatTable(COLUMNS, shown.map(toRow))}`;
}

function toRow({ name, score, load, is_warm, holds_prefix, why_not }: CandidateView): unknown[] {
  const yes = (value: boolean | null): string | null => (value === null ? null : value ? "yes" : "no");
  return [name, score, `${Math.round(load * 100)} %`, yes(is_warm), yes(holds_prefix), why_not];
}
