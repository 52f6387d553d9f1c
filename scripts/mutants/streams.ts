import type { Mutant } from "./mutant.ts";

/** A short soak of streams, and what it must find. */
function soaked(prints: string): Mutant["check"] {
  return { args: ["scripts/soak/streams.ts", "--clients", "6", "--seconds", "5", "--seed", "1"], prints };
}

/** Faults of streams, as their clients see them. */
export const STREAMS: readonly Mutant[] = [
  {
    name: "chunk-again-after-resume",
    breaks: "a client that comes back sees no byte twice",
    edits: [
      {
        file: "src/roles/coordinator/events.ts",
        find: "    let sent = afterSeq;",
        replace: "    let sent = Math.max(0, afterSeq - 1);",
      },
    ],
    check: soaked("came after"),
  },
  {
    name: "receipts-overlap",
    breaks: "receipts cover every delivered byte once",
    edits: [
      {
        file: "src/domain/receipt/build.ts",
        find: "      start_byte: terms.start_byte,",
        replace: "      start_byte: 0,",
      },
    ],
    check: soaked("its row"),
  },
  {
    name: "flood-without-bound",
    breaks: "a miner that sends faster than the disk takes it loses its lease",
    edits: [
      {
        file: "src/roles/coordinator/miners.ts",
        find: "    if (lease.unstoredBytes + bytes > MAX_UNSTORED_BYTES) {",
        replace: "    if (lease.unstoredBytes < 0) {",
      },
    ],
    check: {
      file: "test/flows/streams-pressure.test.ts",
      test: "a miner that sends faster than the disk takes it > loses that lease and no other one; what came before is stored and paid",
    },
  },
];
