/** Whatever is sent with the token over REST or JSON-RPC: no answer is the server's fault. */
import {
  anything,
  array,
  assert,
  asyncProperty,
  constantFrom,
  dictionary,
  jsonValue,
  oneof,
  record,
  string,
  uint8Array,
} from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_RPC_BATCH } from "../../src/wire/wallet/limits.ts";
import { WALLET_ROUTES } from "../../src/wire/wallet/routes.ts";
import { type RawAnswer, startWallet, type TestWallet } from "../harness/wallet.ts";

const RUNS = 100;
/** Of a wallet that is not there: what is tried is what is read, not what a password does. */
const ID = "nobody";

/** A good body of every route that takes one. */
const BODIES: Readonly<Record<string, object>> = {
  "POST /v1/wallets": { wallet_id: ID, password: "weak", metadata: { a: [1] }, secret_key: "A".repeat(43) },
  "POST /v1/wallets/:wallet_id/unlock": {
    password: "x",
    operations: ["sign_message"],
    max_amount_uait: "1",
    idle_seconds: 1,
    max_seconds: 1,
  },
  "POST /v1/wallets/:wallet_id/sign": { password: "x", message_base64: "aGk=", address: "ait1qqqq" },
  "POST /v1/wallets/:wallet_id/sign-document": {
    session_token: "x",
    realm: "0".repeat(64),
    document: { amount: 1, list: [{ text: "x" }] },
  },
};

/** Good params of every method. */
const PARAMS: Readonly<Record<string, object>> = {
  "receipts.verify_latest": { job_id: "x" },
  "receipts.verify_history": { job_id: "x", limit: 1, cursor: "1" },
  "receipts.status": { job_id: "x" },
  "wallet.list": {},
  "wallet.create": BODIES["POST /v1/wallets"] ?? {},
  "wallet.unlock": { wallet_id: ID, ...BODIES["POST /v1/wallets/:wallet_id/unlock"] },
  "wallet.lock": { wallet_id: ID },
  "wallet.sign": { wallet_id: ID, password: "x", session_token: "x", message: "aGk=" },
};

let wallet: TestWallet;
beforeAll(async () => {
  wallet = await startWallet();
});
afterAll(() => wallet.daemon[Symbol.asyncDispose]());

/** Values that break readers: those of JSON, and those that look like something else. */
const HOSTILE = oneof(
  jsonValue({ maxDepth: 3 }),
  constantFrom<unknown>(
    Number.MAX_SAFE_INTEGER + 2,
    -0,
    1e308,
    "\u0000",
    "\ud83e",
    "../../../etc/passwd",
    "__proto__",
    "constructor",
    "💥".repeat(500),
    "9".repeat(400),
    [[[[[[]]]]]],
  ),
);

/** Ways to the members of a value, however deep. */
function pathsOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    [...path, name],
    ...pathsOf(inner, [...path, name]),
  ]);
}

/** A copy with another member at a path; undefined removes it. */
function withMember(value: object, [name = "", ...rest]: readonly string[], member: unknown): object {
  const inner: unknown = (value as Record<string, unknown>)[name];
  const next =
    rest.length === 0 || typeof inner !== "object" || inner === null
      ? member
      : withMember(inner, rest, member);
  return Array.isArray(value)
    ? value.map((item: unknown, index) => (String(index) === name ? next : item))
    : { ...value, [name]: next };
}

/** A good body with one member, however deep, replaced, removed or added. */
const mutated = (good: object) => {
  const paths = [...pathsOf(good), ["colour"], ["constructor"], ["toString"]];
  return record({ path: constantFrom(...paths), member: oneof(HOSTILE, constantFrom(undefined)) }).map(
    ({ path, member }) => withMember(good, path, member),
  );
};

/** Texts that are no JSON, or barely. */
const TEXTS = oneof(
  string(),
  string({ unit: "binary" }),
  anything().map((value) => String(JSON.stringify(value))),
  constantFrom(
    '{"a":1,"a":2}',
    '{"__proto__":1}',
    '"\\ud800"',
    "1e999",
    "[".repeat(5_000),
    "{}{}",
    "\uFEFF{}",
  ),
);

function expectNoFault(answer: RawAnswer): void {
  if (answer.status >= 500) throw new Error(`${answer.status}: ${answer.text}`);
}

const withBody = Object.entries(BODIES);

describe("REST", () => {
  it("has a good body here for every route that takes one", () => {
    const names = WALLET_ROUTES.filter(({ body, path }) => body && path !== "/rpc");
    expect(names.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(BODIES).sort());
  });

  it.each(withBody)("%s: a body with one member wrong", async (name, good) => {
    const path = name.slice("POST ".length).replace(":wallet_id", ID);
    await assert(
      asyncProperty(mutated(good), async (body) => {
        const answer = await wallet.raw.post(path, body);
        expectNoFault(answer);
        if (answer.status >= 400) expect(answer.body).toMatchObject({ status: answer.status });
      }),
      { numRuns: RUNS },
    );
  });

  it.each(withBody)("%s: any text and any bytes", async (name) => {
    const path = name.slice("POST ".length).replace(":wallet_id", ID);
    await assert(
      asyncProperty(oneof(TEXTS, uint8Array({ maxLength: 200 })), async (body) => {
        const answer = await wallet.raw.call("POST", path, { body });
        expectNoFault(answer);
        expect(answer.status).toBeGreaterThanOrEqual(400);
      }),
      { numRuns: RUNS },
    );
  });

  it("any path and any query", async () => {
    const part = oneof(
      string(),
      string({ unit: "binary" }),
      constantFrom("..", "%00", "\ud83d\ude00", "0".repeat(300)),
    );
    const value = part.map((text) => encodeURIComponent(text.toWellFormed()));
    const reading = WALLET_ROUTES.filter(({ method }) => method === "GET").map(({ path }) => path);
    await assert(
      asyncProperty(constantFrom(...reading), value, value, value, async (path, id, name, query) => {
        const filled = path.replaceAll(/:\w+/g, () => id || "x");
        for (const given of [
          "",
          `?cursor=${query}`,
          `?limit=${query}&failed=${query}`,
          `?${name}=${query}`,
        ]) {
          expectNoFault(await wallet.raw.get(`${filled}${given}`));
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("any path of what changes something", async () => {
    const changing = WALLET_ROUTES.filter(({ method, path }) => method !== "GET" && path.includes(":"));
    await assert(
      asyncProperty(constantFrom(...changing), string({ unit: "binary" }), async ({ method, path }, id) => {
        const filled = path.replaceAll(/:\w+/g, () => encodeURIComponent(id.toWellFormed()) || "x");
        expectNoFault(await wallet.raw.call(method, filled, { body: {} }));
      }),
      { numRuns: RUNS },
    );
  });
});

describe("JSON-RPC", () => {
  const method = constantFrom(...Object.keys(PARAMS), "rpc.discover", "constructor", "__proto__", "");
  const call = oneof(
    method.chain((name) =>
      record({
        jsonrpc: oneof(constantFrom("2.0"), HOSTILE),
        id: oneof(constantFrom(1, "a", null, undefined), HOSTILE),
        method: oneof(constantFrom(name), HOSTILE),
        params: oneof(mutated(PARAMS[name] ?? {}), HOSTILE),
      }),
    ),
    dictionary(string(), jsonValue()),
    HOSTILE,
  );

  function expectReply(reply: unknown): void {
    expect(reply).toMatchObject({ jsonrpc: "2.0" });
    const { id, result, error } = reply as Record<string, unknown>;
    expect(["string", "number", "object"]).toContain(typeof id);
    expect((result === undefined) !== (error === undefined)).toBe(true);
    // An internal error is a 5xx in other clothes.
    if (error !== undefined) expect((error as { code: number }).code).not.toBe(-32603);
  }

  it("one call of any kind", async () => {
    await assert(
      asyncProperty(call, async (body) => {
        const answer = await wallet.raw.call("POST", "/rpc", { body: String(JSON.stringify(body)) });
        expectNoFault(answer);
        if (answer.status === 200 && !Array.isArray(body)) expectReply(answer.body);
        else if (answer.status !== 200) expect(answer.status).toBe(204);
      }),
      { numRuns: 4 * RUNS },
    );
  });

  it("a batch of any calls", async () => {
    await assert(
      asyncProperty(array(call, { minLength: 1, maxLength: MAX_RPC_BATCH + 3 }), async (calls) => {
        const answer = await wallet.raw.call("POST", "/rpc", { body: JSON.stringify(calls) });
        expectNoFault(answer);
        if (answer.status === 204) return;
        const replies: unknown = JSON.parse(answer.text);
        for (const reply of Array.isArray(replies) ? replies : [replies]) expectReply(reply);
        expect(Array.isArray(replies) ? replies.length : 1).toBeLessThanOrEqual(calls.length);
      }),
      { numRuns: RUNS },
    );
  });

  it("any text and any bytes", async () => {
    await assert(
      asyncProperty(oneof(TEXTS, uint8Array({ maxLength: 200 })), async (body) => {
        const answer = await wallet.raw.call("POST", "/rpc", { body });
        expectNoFault(answer);
        if (answer.status === 200 && answer.text.startsWith("{")) expectReply(answer.body);
      }),
      { numRuns: 2 * RUNS },
    );
  });
});
