import type { Mutant } from "./mutant.ts";

const COORDINATOR = "src/roles/coordinator";

/** Faults of a single fence, with every other one in place: the schedule that aims at it must find something. */
export const FENCES: readonly Mutant[] = [
  {
    name: "chunk-behind-the-completion",
    breaks: "a receipt covers all that is stored under its lease",
    edits: [
      {
        file: `${COORDINATOR}/settlement.ts`,
        find: "if (lease.acceptedBytes !== receipt.metadata.end_byte) {",
        replace: "if (lease.acceptedBytes < 0) {",
      },
    ],
    check: aimedAt("chunk-after-completion", "its row"),
  },
  {
    name: "two-ends-of-a-lease",
    breaks: "a lease that is being ended is not ended once more",
    edits: [
      { file: `${COORDINATOR}/settlement.ts`, find: "    if (lease.ended) return undefined;\n", replace: "" },
    ],
    check: aimedAt("fail-after-end", "5 bytes stored, 10 counted"),
  },
  {
    name: "lease-of-another-miner",
    breaks: "a miner that connects takes up its own leases only",
    edits: [
      {
        file: `${COORDINATOR}/miners.ts`,
        find: "if (lease?.token === token && lease.minerId === minerId) {",
        replace: "if (lease?.token === token) {",
      },
    ],
    check: aimedAt("strangers-token", "text of a stale write was stored"),
  },
  {
    name: "late-end-under-an-old-token",
    breaks: "the end of a lease that another has replaced is refused",
    edits: [
      {
        file: `${COORDINATOR}/store/jobs.ts`,
        find: `      error: p("error"),
    }))
    .where("job_id", "=", p("job_id"))
    .where("token", "=", p("token"))`,
        replace: `      error: p("error"),
    }))
    .where("job_id", "=", p("job_id"))`,
      },
    ],
    check: aimedAt("late-end", "UNIQUE constraint failed"),
  },
];

/** A schedule of the interleavings by name, and what it must find. */
function aimedAt(target: string, prints: string): Mutant["check"] {
  return { args: ["scripts/sim/interleave.ts", "--target", target, "--seed", "1"], prints };
}
