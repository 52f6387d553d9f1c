import type { Check, Mutant } from "./mutant.ts";

const COORDINATOR = "src/roles/coordinator";

/** Faults that pile up what callers leave behind: the soak's short form must count it. */
export const LEAKS: readonly Mutant[] = [
  {
    name: "leases-never-let-go",
    breaks: "nothing keeps a lease that has ended",
    edits: [
      {
        file: `${COORDINATOR}/leases.ts`,
        find: "    this.#byJob.set(lease.jobId, lease);",
        replace: "    this.#byJob.set(lease.jobId, lease);\n    ((this as any).all ??= []).push(lease);",
      },
    ],
    check: soaked("leases live on"),
  },
  {
    name: "timers-of-readers-that-went",
    breaks: "a reader that goes leaves no timer behind",
    edits: [
      {
        file: `${COORDINATOR}/streams.ts`,
        find: "  [Symbol.dispose](): void {\n    clearTimeout(this.#timer);\n",
        replace: "  [Symbol.dispose](): void {\n",
      },
    ],
    check: soaked("timers live on"),
  },
];

/** The soak's short form, and what it must find. */
function soaked(prints: string): Check {
  return { args: ["scripts/soak/miners.ts", "--miners", "4", "--clients", "20", "--seconds", "2"], prints };
}
