import { type Gpu, printable } from "./gpu.ts";

/** What rocm-smi is asked for. */
export const ROCM_QUERY = ["--showproductname", "--showmeminfo", "vram", "--json"] as const;

const BYTES_PER_MB = 1024 * 1024;
/** Members that name a card, best first; their case changed between versions. */
const NAMES = ["card series", "device name", "card model"];
const MEMORY = "vram total memory (b)";
/** A model that is only a PCI id says less than any name. */
const PCI_ID = /^0x[0-9a-f]+$/i;

/**
 * Parses the answer to `ROCM_QUERY`: one member a card, sizes as text in bytes. Warnings may stand before the
 * object. Text that holds no such object, and cards without memory, are no GPU.
 */
export function parseRocmCards(text: string): Gpu[] {
  const json = parseObject(text);
  return Object.entries(json).flatMap(([key, value]) => {
    if (!/^card\d+$/.test(key) || typeof value !== "object" || value === null) return [];
    const members = new Map(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]));
    const bytes = Number(members.get(MEMORY));
    if (!Number.isSafeInteger(bytes) || bytes <= 0) return [];
    return [{ name: nameOf(members), memory_mb: Math.floor(bytes / BYTES_PER_MB) }];
  });
}

function nameOf(members: ReadonlyMap<string, unknown>): string {
  const names = NAMES.map((name) => members.get(name)).filter((name) => typeof name === "string");
  return printable(names.find((name) => !PCI_ID.test(name) && name !== "N/A") ?? names[0] ?? "AMD GPU");
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text.slice(text.indexOf("{")));
    // Every member is looked at before it is used.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
