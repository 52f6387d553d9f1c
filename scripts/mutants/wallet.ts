import type { Mutant } from "./mutant.ts";

const ROLE = "src/roles/wallet";
const DOOR = `${ROLE}/http/guard.ts`;
const GATE = `${ROLE}/sessions/password-gate.ts`;
const GATE_TEST = `${ROLE}/sessions/password-gate.test.ts`;
const ATTACKS = "test/flows/wallet-attack.test.ts";
const ACCEPTS_NOTHING = "creates no wallet and signs nothing, over REST and JSON-RPC";

/** Faults of the wallet's listener and of what guards its passwords, sessions and receipts. */
export const WALLET: readonly Mutant[] = [
  {
    name: "wallet-any-host",
    breaks: "a name that was made to point at this machine opens nothing",
    edits: [
      { file: DOOR, find: "host === undefined || !this.#hosts.has(host)", replace: "host === undefined" },
    ],
    check: {
      file: ATTACKS,
      test: `a name that was made to point here (DNS rebinding) > ${ACCEPTS_NOTHING}`,
    },
  },
  {
    name: "wallet-any-origin",
    breaks: "a web page cannot call",
    edits: [
      {
        file: DOOR,
        find: "origin !== undefined && !this.#origins.has(origin.toLowerCase())",
        replace: "origin !== undefined && origin === ''",
      },
    ],
    check: { file: ATTACKS, test: `a foreign Origin > ${ACCEPTS_NOTHING}` },
  },
  {
    name: "wallet-no-token",
    breaks: "every call shows the token",
    edits: [
      { file: DOOR, find: "this.#token?.matches(given) !== true", replace: "this.#token === undefined" },
    ],
    check: { file: ATTACKS, test: `a wrong token > ${ACCEPTS_NOTHING}` },
  },
  {
    name: "wallet-form-post",
    breaks: "a form can change nothing",
    edits: [
      { file: DOOR, find: "!READING.has(request.method) && ", replace: "request.method === 'PUT' && " },
    ],
    // Bodies are checked once more where they are read: what shows it are the routes without one.
    check: {
      file: ATTACKS,
      test: "a form post as text/plain > is told nothing by any route, known or not",
    },
  },
  {
    name: "wallet-long-batch",
    breaks: "a flood of JSON-RPC is refused as a whole",
    edits: [
      {
        file: `${ROLE}/rpc/server.ts`,
        find: "body.length > MAX_RPC_BATCH",
        replace: "body.length > MAX_RPC_BATCH * 1000",
      },
    ],
    check: { file: ATTACKS, test: "a flood of JSON-RPC > in one batch of 21 is refused as a whole" },
  },
  {
    name: "wallet-count-late",
    breaks: "a try counts as wrong before it is made",
    edits: [
      {
        file: "src/roles/wallet/sessions/store.ts",
        find: "  await putBackoff(tx, walletId, { failures, blocked_until: now + waitAfterFailures(failures) });\n  return earlier;",
        replace: "  void [putBackoff, waitAfterFailures, failures];\n  return earlier;",
      },
    ],
    check: {
      file: GATE_TEST,
      test: "wrong passwords > count before they are tried: a crash in the middle gives no try for free",
    },
  },
  {
    name: "wallet-parallel-tries",
    breaks: "passwords of one wallet are tried one after the other",
    edits: [
      {
        file: GATE,
        find: "before.then(() => this.#attempt(walletId, attempt))",
        replace: "this.#attempt(walletId, attempt)",
      },
    ],
    check: {
      file: GATE_TEST,
      test: "wrong passwords > are not what a try is that fails for another reason; right ones all at once do not wait",
    },
  },
  {
    name: "wallet-scope-forgets",
    breaks: "a session moves its amount in all",
    edits: [{ file: `${ROLE}/sessions/session.ts`, find: "    this.#spent += amount;\n", replace: "" }],
    check: {
      file: `${ROLE}/sessions/session.test.ts`,
      test: "an unlock session > moves its amount in all, and not a µAIT more",
    },
  },
  {
    name: "wallet-other-jobs-receipt",
    breaks: "a receipt of another job is not this one's",
    edits: [
      {
        file: `${ROLE}/receipts/check.ts`,
        find: 'receipt["job_id"] !== jobId',
        replace: 'receipt["job_id"] === ""',
      },
    ],
    check: {
      file: `${ROLE}/receipts/check.test.ts`,
      test: "a receipt > of another job is not valid for this one",
    },
  },
];
