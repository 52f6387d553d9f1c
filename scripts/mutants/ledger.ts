import type { Mutant } from "./mutant.ts";

const LEDGER = "src/domain/ledger";

/** Random operations against the naive twin, and what they must find. */
function replayed(prints: string): Mutant["check"] {
  return { args: ["scripts/sim/ledger.ts", "--operations", "3000", "--seed", "1"], prints };
}

/** Faults of the ledger: money, order of transactions, proofs. */
export const LEDGER_MUTANTS: readonly Mutant[] = [
  {
    name: "transfer-to-oneself-makes-money",
    breaks: "money is conserved",
    edits: [
      {
        file: `${LEDGER}/modules/transfer.ts`,
        find: `    if (!debit(draft, sender, BigInt(amount))) return "INSUFFICIENT_FUNDS";
    credit(draft, to, BigInt(amount));`,
        replace: `    const before = getAccount(draft, to);
    if (!debit(draft, sender, BigInt(amount))) return "INSUFFICIENT_FUNDS";
    draft.put(accountKey(to), { ...before, balance: before.balance + BigInt(amount) });`,
      },
      {
        file: `${LEDGER}/modules/transfer.ts`,
        find: "import { credit, debit, readHolder }",
        replace: "import { accountKey, debit, getAccount, readHolder }",
      },
    ],
    check: replayed("money is not conserved"),
  },
  {
    name: "failure-keeps-its-changes",
    breaks: "a failing transaction changes nothing but fee and nonce",
    edits: [
      {
        file: `${LEDGER}/execute.ts`,
        find: "    draft.rollback(module.feeFree ? untouched : charged);",
        replace: "    void [untouched, charged];",
      },
    ],
    check: {
      file: `${LEDGER}/execute.test.ts`,
      test: "a transaction > that fails after it has written leaves nothing of it",
    },
  },
  {
    name: "nonce-may-leave-one-out",
    breaks: "an account's transactions run in their order, each once",
    edits: [
      {
        file: `${LEDGER}/execute.ts`,
        find: `  if (nonce > account.nonce + 1) return "NONCE_TOO_HIGH";\n`,
        replace: "",
      },
    ],
    check: {
      file: `${LEDGER}/execute.test.ts`,
      test: "a transaction > is included once, and in the order of nonces only",
    },
  },
  {
    name: "changes-one-height-later",
    breaks: "validators change two heights after the decision, as the headers announce",
    edits: [
      {
        file: `${LEDGER}/schedule.ts`,
        find: "  if (next !== after) draft.put(key, { next: after, after });\n  return next;",
        replace: "  if (next !== after) draft.put(key, { next: after, after });\n  return after;",
      },
    ],
    check: replayed("the twin has"),
  },
  {
    name: "stake-is-back-at-once",
    breaks: "unstaked money can be slashed until the unbonding time is over",
    edits: [
      {
        file: `${LEDGER}/account.ts`,
        find: "filter(({ maturesAt }) => maturesAt <= time)",
        replace: "filter(({ maturesAt }) => maturesAt - 5000 <= time)",
      },
    ],
    check: replayed("the twin has"),
  },
  {
    name: "slash-twice",
    breaks: "an offence is punished once",
    edits: [
      {
        file: `${LEDGER}/modules/evidence.ts`,
        find: `    if (draft.find(mark) !== undefined) return "OFFENCE_KNOWN";\n`,
        replace: "",
      },
    ],
    check: {
      file: `${LEDGER}/modules/evidence.test.ts`,
      test: "EVIDENCE > is included once for each height, and not at all where it does not hold",
    },
  },
  {
    name: "signature-of-another-chain",
    breaks: "what is signed for one chain is worth nothing on another",
    edits: [
      {
        file: `${LEDGER}/signing.ts`,
        find: `return signBytes("tx", realm, unsigned);`,
        replace: `return signBytes("tx", realm.map(() => 0), unsigned);`,
      },
    ],
    check: {
      file: `${LEDGER}/transaction.test.ts`,
      test: "a transaction's text > is signed under its own tag, for one chain alone",
    },
  },
  {
    name: "other-spelling-of-a-transaction",
    breaks: "a transaction has one text",
    edits: [
      {
        file: "src/crypto/canonical-json.ts",
        find: `  if (canonicalizeSigned(value) !== text) refuse("the text is not in canonical form", []);\n`,
        replace: "",
      },
    ],
    check: {
      file: `${LEDGER}/transaction.test.ts`,
      test: "a transaction's text > is refused with a space more",
    },
  },
  {
    name: "absence-by-the-keys-own-leaf",
    breaks: "nobody can prove that an account does not exist which does",
    edits: [
      {
        file: "src/crypto/sparse-merkle-proof.ts",
        find: "  if (place === key || !sharesPath(place, key, siblings.length)) return undefined;",
        replace: "  if (!sharesPath(place, key, siblings.length)) return undefined;",
      },
    ],
    check: {
      file: "src/crypto/sparse-merkle.test.ts",
      test: "a proof > does not show that a key is absent by its own leaf",
    },
  },
  {
    name: "absence-by-a-leaf-from-elsewhere",
    breaks: "a proof of absence shows the leaf that stands in the key's own place",
    edits: [
      {
        file: "src/crypto/sparse-merkle-proof.ts",
        find: "  if (place === key || !sharesPath(place, key, siblings.length)) return undefined;",
        replace: "  if (place === key || !sharesPath(place, key, 0 * siblings.length)) return undefined;",
      },
    ],
    check: {
      file: "src/crypto/sparse-merkle.test.ts",
      test: "a proof > does not show that a key is absent by a leaf that stands where it does not belong",
    },
  },
];
