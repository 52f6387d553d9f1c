import { CONSENSUS_MUTANTS } from "./consensus.ts";
import { FENCES } from "./fences.ts";
import { KEYSTORE_MUTANTS } from "./keystore.ts";
import { LEAKS } from "./leaks.ts";
import { LEDGER_MUTANTS } from "./ledger.ts";
import type { Mutant } from "./mutant.ts";
import { QUEUE } from "./queue-mutants.ts";
import { STREAMS } from "./streams.ts";
import { WALLET } from "./wallet.ts";

const COORDINATOR = "src/roles/coordinator";

/** Faults of the store: what is acknowledged is on disk. */
const STORE: readonly Mutant[] = [
  {
    name: "success-before-commit",
    breaks: "an acknowledged write is on disk",
    edits: [
      {
        file: "src/kernel/db/group-commit.ts",
        find: "        resolve(this.#interrupted);",
        replace: "        if (!operation.failed) operation.settle();\n        resolve(this.#interrupted);",
      },
    ],
    check: {
      file: "src/kernel/db/group-commit.test.ts",
      test: "group commit > resolves a success only when another connection sees the row",
    },
  },
  {
    name: "failure-before-commit",
    breaks: "a refusal that rests on a neighbour's row waits for that row's commit",
    edits: [
      {
        file: "src/kernel/db/group-commit.ts",
        find: "        resolve(this.#interrupted);",
        replace: "        if (operation.failed) operation.settle();\n        resolve(this.#interrupted);",
      },
    ],
    check: {
      file: "src/kernel/db/group-commit.test.ts",
      test: "group commit > rejects a refusal that rests on a neighbour's row only after that row is committed",
    },
  },
  {
    name: "bulk-not-taken-apart",
    breaks: "of calls that ran together one that fails is refused alone",
    edits: [
      {
        file: "src/kernel/db/group-commit.ts",
        find: "this.#take(savepoints ? 1 : Math.min",
        replace: "this.#take(Math.min",
      },
    ],
    check: {
      file: "src/kernel/db/bulk.test.ts",
      test: "calls of one procedure that wait together > run each alone when they fail together, so that one refuses itself only",
    },
  },
  {
    name: "synchronous-normal",
    breaks: "a power cut takes back nothing that was acknowledged",
    edits: [
      {
        file: "src/kernel/db/pragmas.ts",
        find: '    writer.pragma("synchronous = FULL");',
        replace: '    writer.pragma("synchronous = NORMAL");',
      },
    ],
    check: {
      file: "src/kernel/db/pragmas.test.ts",
      test: "the writing connection > flushes each commit, also after its first read",
    },
  },
  {
    name: "synchronous-asserted-too-early",
    breaks: "the start-up assert sees the level that SQLite acts on",
    edits: [
      {
        file: "src/kernel/db/pragmas.ts",
        find: '  raw.prepare("select count(*) from sqlite_schema").get();\n',
        replace: "",
      },
    ],
    check: {
      file: "src/kernel/db/pragmas.test.ts",
      test: "the writing connection > is refused when synchronous is left to SQLite, which shows 2 until the first read and then acts on 1",
    },
  },
  {
    name: "write-outside-operation",
    breaks: "every write is part of an operation",
    edits: [
      {
        file: "src/kernel/db/rules.ts",
        find: '    if (!readonly) throw misuse("a write outside an operation", sql);\n',
        replace: "    void [sql, readonly];\n",
      },
    ],
    check: {
      file: "src/kernel/db/database.test.ts",
      test: "the handle outside operations > refuses an insert",
    },
  },
];

/** Faults of the coordinator: nothing is lost, doubled, or paid twice. */
const COORDINATOR_MUTANTS: readonly Mutant[] = [
  {
    name: "completion-in-two-transactions",
    breaks: "state, text, segment and receipt of an ending are one transaction",
    edits: [
      {
        file: `${COORDINATOR}/settlement.ts`,
        find: 'import { findReceipt } from "./store/delivery.ts";',
        replace: 'import { findReceipt, insertReceipts } from "./store/delivery.ts";',
      },
      {
        file: `${COORDINATOR}/settlement.ts`,
        find: "      held = await this.#store.operation(endLease, toEndingRows(ending, ranMs));",
        replace: `      const { receipt: row, ...rows } = toEndingRows(ending, ranMs);
      held = await this.#store.operation(endLease, { ...rows, receipt: undefined });
      if (held && row) await this.#store.operation(insertReceipts, [row]);`,
      },
    ],
    check: {
      file: `${COORDINATOR}/settlement.test.ts`,
      test: "a completion > changes nothing, and is told to nobody, when its receipt cannot be stored",
    },
  },
  {
    name: "no-fence-on-text",
    breaks: "text under a lost lease is refused",
    edits: [
      {
        file: `${COORDINATOR}/store/lease-fence.ts`,
        find: "tokens.get(job_id) === token",
        replace: "tokens.has(job_id) || token === 0",
      },
    ],
    check: {
      file: `${COORDINATOR}/store/jobs.test.ts`,
      test: "the fence > refuses text under a token that another claim has replaced",
    },
  },
  {
    name: "no-fence-on-end",
    breaks: "of two ends of a job one wins",
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
    check: {
      file: `${COORDINATOR}/store/jobs.test.ts`,
      test: "the fence > refuses the end of a lease under a token that another claim has replaced",
    },
  },
  {
    name: "chunk-before-commit",
    breaks: "a crash takes back no text that somebody has seen",
    edits: [
      {
        file: `${COORDINATOR}/delivery.ts`,
        find: "      const held = await this.#store.operation(\n        storePortions,",
        replace: `      for (const portion of portions) publishPortion(this.#streams, portion);
      const held = await this.#store.operation(
        storePortions,`,
      },
    ],
    check: {
      file: `${COORDINATOR}/delivery.test.ts`,
      test: "delivered text > is shown to a reader only when another connection can read it",
    },
  },
  {
    name: "idempotency-row-apart",
    breaks: "an Idempotency-Key and its job are one transaction",
    edits: [
      {
        file: `${COORDINATOR}/intake.ts`,
        find: 'import type { NewJob } from "./store/jobs.ts";',
        replace: `import { takeIdempotencyKeys } from "./store/idempotency.ts";
import { insertJobs, type NewJob } from "./store/jobs.ts";`,
      },
      {
        file: `${COORDINATOR}/intake.ts`,
        find: "      earlier = await this.#store.operation(storeSubmission, toNewJob(job), place, key);",
        replace: `      [earlier] = await this.#store.operation(takeIdempotencyKeys, [key]);
      if (!earlier) await this.#store.operation(insertJobs, [{ job: toNewJob(job), place }]);`,
      },
    ],
    check: {
      file: `${COORDINATOR}/intake.test.ts`,
      test: "a submission with an Idempotency-Key > leaves its key free when the job cannot be stored",
    },
  },
  {
    name: "receipt-not-compared",
    breaks: "a miner's receipt says what the terms and the coordinator's meter say",
    edits: [
      {
        file: `${COORDINATOR}/settlement.ts`,
        find: "if (differing.length > 0) {",
        replace: "if (differing.length > 99) {",
      },
    ],
    check: {
      file: `${COORDINATOR}/settlement.test.ts`,
      test: "a completion > is refused when the miner signed another price than the terms give",
    },
  },
  {
    name: "last-event-id-off-by-one",
    breaks: "a resumed stream brings no byte twice and misses none",
    edits: [
      { file: `${COORDINATOR}/events.ts`, find: "let sent = afterSeq;", replace: "let sent = afterSeq + 1;" },
    ],
    check: {
      file: `${COORDINATOR}/events.test.ts`,
      test: "a stream > resumed after chunk 1 goes on with the next one",
    },
  },
  {
    name: "restart-forgets-time",
    breaks: "a job that ran before a restart can complete after it",
    edits: [
      {
        file: `${COORDINATOR}/recovery.ts`,
        find: "grantedAt: now - ranMs,",
        replace: "grantedAt: now - 0 * ranMs,",
      },
    ],
    check: {
      file: `${COORDINATOR}/recovery.test.ts`,
      test: "a lease taken up after a restart > goes on where the stored text ends, with a full term, and counts its whole time",
    },
  },
  {
    name: "given-up-segment-without-receipt",
    breaks: "every delivered segment has its receipt; shown by the torture itself",
    edits: [
      {
        file: `${COORDINATOR}/store/endings.ts`,
        find: "    endings.flatMap(({ receipt }) => receipt ?? []),",
        replace: '    endings.flatMap((e) => (e.segment.outcome === "completed" && e.receipt) || []),',
      },
    ],
    check: {
      args: ["scripts/torture/kill.ts", "--kills", "2", "--seed", "1", "--discard"],
      prints: "0 receipts, 1 expected",
    },
  },
];

/** Faults at the edges: keys, JSON, authorisation. */
const EDGE: readonly Mutant[] = [
  {
    name: "small-order-keys",
    breaks: "a key whose one signature fits every message is refused",
    edits: [
      {
        file: "src/crypto/small-order.ts",
        find: "    !isSmallOrder(publicKey) &&\n",
        replace: "",
      },
    ],
    check: {
      file: "src/crypto/ed25519.test.ts",
      test: "ed25519 > refuses them as public key under an honest R, where one signature fits every message",
    },
  },
  {
    name: "duplicate-members",
    breaks: "two parsers never read one JSON text differently",
    edits: [
      {
        file: "src/kernel/json-reader.ts",
        find: '        if (Object.hasOwn(object, name)) this.#fail("INVALID_PAYLOAD", "duplicate member", start);\n',
        replace: "        void start;\n",
      },
    ],
    check: {
      file: "src/kernel/json.test.ts",
      test: 'parseJson > refuses "{\\"a\\":1,\\"b\\":2,\\"a\\":3}" with a pointer to the member',
    },
  },
  {
    name: "route-without-authorisation",
    breaks: "every route checks the key that it declares",
    edits: [
      {
        file: "src/kernel/http/router.ts",
        find: `        const principal = await authorize(c, contract.access);
        const [body, bodyText]`,
        replace: `        const anybody = { key_id: "", kind: "admin", owner_id: "" } as never;
        const isOpen = contract.path.endsWith("/receipt");
        const principal = isOpen ? anybody : await authorize(c, contract.access);
        const [body, bodyText]`,
      },
    ],
    check: {
      file: "test/flows/authorization.test.ts",
      test: "the authorisation of nobody > for GET /v1/jobs/:job_id/receipt is as declared",
    },
  },
  {
    name: "job-of-another-client",
    breaks: "other clients' jobs do not exist for a client",
    edits: [
      {
        file: `${COORDINATOR}/service.ts`,
        find: `(caller.kind !== "admin" && job.client_id !== caller.owner_id)`,
        replace: `caller.owner_id === ""`,
      },
    ],
    check: {
      file: "test/flows/authorization.test.ts",
      test: "another client's job > does not exist for GET /v1/jobs/:job_id/result",
    },
  },
  {
    name: "no-fence-in-the-session",
    breaks: "a frame under another token than the lease has is refused",
    edits: [
      {
        file: `${COORDINATOR}/miners.ts`,
        find: "    if (!lease || lease.token !== token || lease.ended) throw staleLease();",
        replace: "    if (!lease || token < 0 || lease.ended) throw staleLease();",
      },
    ],
    check: {
      file: "test/flows/leases.test.ts",
      test: "a lease > that the same miner got anew is not written under its old token, over the same connection either",
    },
  },
];

/** Faults of the miners that hold no key, which nothing but the coordinator's own fences holds to their leases. */
const KEYLESS: readonly Mutant[] = [
  {
    name: "keyless-result-for-anybodys-job",
    breaks: "a miner without a key writes under its own lease only",
    edits: [
      {
        file: `${COORDINATOR}/keyless-miners.ts`,
        find: "if (lease?.minerId === minerId && (token",
        replace: "if (lease && (token",
      },
    ],
    check: {
      file: "test/flows/keyless-miners.test.ts",
      test: "a result > for another miner's job, or under a token that is not the lease's, is 409 and changes nothing",
    },
  },
  {
    name: "keyless-heartbeat-keeps-everything",
    breaks: "a job that its miner forgot goes to another miner",
    edits: [
      {
        file: `${COORDINATOR}/keyless-miner.ts`,
        find: "      .slice(0, inflight);",
        replace: "      .slice(0, inflight + 1);",
      },
    ],
    check: {
      file: "src/roles/coordinator/keyless-miner.test.ts",
      test: "a keyless miner > renews what it says it works on: begun leases first, then the newest",
    },
  },
];

/** Every fault that a check of this project must see. */
export const MUTANTS: readonly Mutant[] = [
  ...QUEUE,
  ...STORE,
  ...COORDINATOR_MUTANTS,
  ...EDGE,
  ...KEYLESS,
  ...FENCES,
  ...LEDGER_MUTANTS,
  ...KEYSTORE_MUTANTS,
  ...LEAKS,
  ...STREAMS,
  ...CONSENSUS_MUTANTS,
  ...WALLET,
];
