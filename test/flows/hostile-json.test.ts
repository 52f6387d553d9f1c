import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Route } from "../../src/wire/access.ts";
import { MAX_BODY_BYTES } from "../../src/wire/limits.ts";
import { ROUTES } from "../../src/wire/routes.ts";
import { TestDaemon } from "../harness/daemon.ts";

/** A good body of every route that takes one: each case breaks one thing of it. */
const BODIES: Readonly<Record<string, object>> = {
  "POST /v1/jobs": { payload: { type: "inference", prompt: "hello" } },
  "POST /v1/admin/keys": { kind: "client", name: "app" },
  "POST /v1/admin/jobs/:job_id/prioritize": { reason: "a deadline" },
  "POST /v1/jobs/templates": {
    name: "hello",
    submission: { payload: { type: "inference", prompt: "hello" } },
  },
  "POST /v1/jobs/templates/:name/submit": { variables: {} },
};

/** Bodies of existing miners, which may hold more than we know: what is not named is let through. */
const LENIENT: Readonly<Record<string, object>> = {
  "POST /v1/miners/register": { capabilities: { models: ["llama3"] } },
  "POST /v1/miners/heartbeat": { inflight: 0 },
  "POST /v1/miners/poll": { max_wait_seconds: 0 },
  "POST /v1/miners/:job_id/result": { result: "text" },
  "POST /v1/miners/:job_id/fail": { error_code: "OOM" },
  "PUT /v1/miners/:miner_id/capabilities": { models: ["llama3"] },
};
const GOOD = { ...BODIES, ...LENIENT };

const MESSAGES = [{ role: "user", content: "hello" }];
/** Bodies of the APIs of other programs, which write errors in their own shapes. */
const FOREIGN: Readonly<Record<string, object>> = {
  "POST /v1/chat/completions": { model: "m", messages: MESSAGES },
  "POST /v1/completions": { model: "m", prompt: "hello" },
  "POST /v1/embeddings": { model: "m", input: "hello" },
  "POST /v1/batches": {
    input_file_id: "file-0",
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  },
  "POST /api/chat": { model: "m", messages: MESSAGES },
  "POST /api/generate": { model: "m", prompt: "hello" },
  "POST /api/embed": { model: "m", input: "hello" },
  "POST /api/embeddings": { model: "m", prompt: "hello" },
  "POST /api/show": { model: "m" },
};

interface Problem {
  readonly status: number;
  readonly code?: string;
  readonly pointer?: string;
  readonly detail?: string;
  readonly type?: string;
}

let daemon: TestDaemon;
let before: Record<string, number>;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon[Symbol.asyncDispose]());
beforeEach(() => {
  before = daemon.rowCounts();
});

/** Sends bytes over a real connection, with their length or in pieces of unknown length. */
function send(
  route: Route,
  body: string | Uint8Array,
  options: { chunked?: boolean; type?: string | null } = {},
): Promise<Problem> {
  const { type = "application/json", chunked = false } = options;
  const key = daemon.keys[route.access === "public" ? "admin" : (route.access[0] ?? "admin")];
  const headers = {
    "x-api-key": key,
    ...(type !== null && { "content-type": type }),
    ...(!chunked && { "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const call = request(`${daemon.url}${route.path}`, { method: route.method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, ...(text && (JSON.parse(text) as object)) });
      });
    });
    call.on("error", reject);
    if (chunked) call.write(body.slice(0, 1));
    call.end(chunked ? body.slice(1) : body);
  });
}

/** What holds of every refusal: a client's fault, with a code, and nothing of it stored. */
function expectRefused(problem: Problem, status: number, code: string): void {
  expect(problem).toMatchObject({ status, code, type: `/errors/${code}` });
  expect(daemon.rowCounts()).toEqual(before);
}

const withBody = ROUTES.filter(({ body }) => body !== undefined).map(
  (route) => [`${route.method} ${route.path}`, route] as const,
);
const routes = withBody.filter(([, { errors }]) => errors === undefined);
const foreign = withBody.filter(([, { errors }]) => errors !== undefined);

describe("every route with a body", () => {
  it("has a good one here", () => {
    expect(routes.map(([name]) => name).sort()).toEqual(Object.keys(GOOD).sort());
    expect(foreign.map(([name]) => name).sort()).toEqual(Object.keys(FOREIGN).sort());
  });
});

describe.each(foreign)("hostile JSON on %s", (name, route) => {
  const good = JSON.stringify(FOREIGN[name]);
  const withMember = (member: string): string => `{${member},${good.slice(1)}`;
  const hostile: [string, string | Uint8Array][] = [
    ["nothing", ""],
    ["half a document", good.slice(0, -1)],
    ["bytes that are not UTF-8", Buffer.concat([Buffer.from(good.slice(0, -1)), Buffer.from([0xff, 0x7d])])],
    ["a member twice", withMember('"x":1,"x":2')],
    ["__proto__", withMember('"__proto__":{"admin":true}')],
    ["a lone surrogate", withMember('"x":"\\ud800"')],
    ["nesting of 100,000", "[".repeat(100_000)],
    ["no object", "[]"],
    ["an unknown member", withMember('"colour":1')],
    ["a model that is no text", withMember('"model":{}')],
  ];

  it.each(hostile)("%s is the caller's fault, told in the API's own shape", async (_what, body) => {
    const { status, error } = (await send(route, body)) as Problem & { error?: unknown };
    expect([400, 404, 422]).toContain(status);
    expect(error).toEqual(
      name.includes("/api/") ? expect.any(String) : expect.objectContaining({ message: expect.any(String) }),
    );
    expect(daemon.rowCounts()).toEqual(before);
  });
});

describe.each(routes)("hostile JSON on %s", (name, route) => {
  const good = JSON.stringify(GOOD[name]);
  /** Puts a member in front of the good ones. */
  const withMember = (member: string): string => `{${member},${good.slice(1)}`;

  const malformed: [string, string | Uint8Array][] = [
    ["nothing", ""],
    ["half a document", good.slice(0, -1)],
    ["two documents", good + good],
    ["a comma too many", `${good.slice(0, -1)},}`],
    ["single quotes", good.replaceAll('"', "'")],
    ["NaN", withMember('"x":NaN')],
    ["a control character in a text", withMember('"x":"\u0001"')],
    ["a byte order mark", `\uFEFF${good}`],
    ["bytes that are not UTF-8", Buffer.concat([Buffer.from(good.slice(0, -1)), Buffer.from([0xff, 0x7d])])],
    [
      "an overlong encoding",
      Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
    ],
    ["UTF-16", Buffer.from(good, "utf16le")],
  ];
  it.each(malformed)("%s is refused as malformed", async (_what, body) => {
    expectRefused(await send(route, body), 400, "MALFORMED_JSON");
  });

  const unsafe: [string, string, string][] = [
    ["a member twice", withMember('"x":1,"x":2'), "/x"],
    ["a member twice, deep inside", withMember('"x":[0,{"y":1,"y":2}]'), "/x/1/y"],
    ["__proto__", withMember('"__proto__":{"admin":true}'), "/__proto__"],
    ["__proto__ in disguise", withMember('"\\u005f_proto__":{}'), "/__proto__"],
    ["a lone surrogate", withMember('"x":"\\ud800"'), "/x"],
    ["a number beyond all", withMember('"x":1e999'), "/x"],
    ["nesting without end", withMember(`"x":${"[".repeat(200)}${"]".repeat(200)}`), "/x/0/0/0"],
    ["nesting of 100,000", "[".repeat(100_000), "/0/0/0"],
    ["objects without end", '{"a":'.repeat(5000), "/a/a/a"],
  ];
  it.each(unsafe)("%s is refused with a pointer to it", async (_what, body, pointer) => {
    const problem = await send(route, body);
    expectRefused(problem, 422, "INVALID_PAYLOAD");
    expect(problem.pointer?.slice(0, pointer.length)).toBe(pointer);
  });

  it.each(["null", "1", '"text"', "[]", "true"])("%s in the place of an object is refused", async (body) => {
    expectRefused(await send(route, body), 422, "INVALID_PAYLOAD");
  });

  const isStrict = !(name in LENIENT);
  /** A test of routes that admit only what they know; the others have the one below instead. */
  const strictly = (title: string, test: () => Promise<void>): void => {
    if (isStrict) it(title, test);
  };

  if (!isStrict) {
    it("no type of a known or unknown member is the server's fault", async () => {
      const members = GOOD[name] ?? {};
      for (const member of [...Object.keys(members), "colour", "constructor"]) {
        for (const value of [null, 7, true, [], [[]], { deep: {} }, ""]) {
          const { status } = await send(route, JSON.stringify({ ...members, [member]: value }));
          expect(status).toBeLessThan(500);
        }
      }
    });
  }

  strictly("an unknown member is refused with a pointer to it", async () => {
    for (const member of ["colour", "constructor", "a/b~c", "toString"]) {
      const problem = await send(route, withMember(`${JSON.stringify(member)}:1`));
      expectRefused(problem, 422, "INVALID_PAYLOAD");
      expect(problem.pointer).toBe(`/${member.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    }
  });

  strictly("a wrong type of each member is refused with a pointer to it", async () => {
    const members = GOOD[name] ?? {};
    for (const member of Object.keys(members)) {
      for (const wrong of [null, 7, true, [], [[]], { deep: {} }, ""]) {
        const problem = await send(route, JSON.stringify({ ...members, [member]: wrong }));
        expectRefused(problem, 422, "INVALID_PAYLOAD");
        expect(problem.pointer?.split("/")[1]).toBe(member);
      }
      const { [member]: _left, ...rest } = members as Record<string, unknown>;
      const problem = await send(route, JSON.stringify(rest));
      expectRefused(problem, 422, "INVALID_PAYLOAD");
      expect(problem.pointer?.split("/")[1]).toBe(member);
    }
  });

  it("too much is refused, whether its length was declared or not", async () => {
    const large = withMember(`"x":"${"x".repeat(MAX_BODY_BYTES)}"`);
    expectRefused(await send(route, large), 413, "PAYLOAD_TOO_LARGE");
    expectRefused(await send(route, large, { chunked: true }), 413, "PAYLOAD_TOO_LARGE");
    const fits = withMember(`"x":"${"x".repeat(MAX_BODY_BYTES - good.length - 7)}"`);
    expect(Buffer.byteLength(fits)).toBe(MAX_BODY_BYTES);
    if (isStrict) expectRefused(await send(route, fits, { chunked: true }), 422, "INVALID_PAYLOAD");
    else expect((await send(route, fits, { chunked: true })).status).not.toBe(413);
  });

  it.each([
    null,
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/jsonx",
    "multipart/form-data; boundary=x",
  ])("content type %s is refused", async (type) => {
    expectRefused(await send(route, good, { type }), 415, "UNSUPPORTED_MEDIA_TYPE");
  });

  it("what breaks off in the middle stores nothing, and the daemon goes on", async () => {
    await new Promise<void>((resolve) => {
      const headers = {
        "content-type": "application/json",
        "content-length": 10_000,
        "x-api-key": daemon.keys.admin,
      };
      const call = request(`${daemon.url}${route.path}`, { method: route.method, headers, agent: false });
      call.on("error", () => resolve());
      call.on("close", () => resolve());
      call.write(good);
      call.once("socket", (socket) => socket.once("connect", () => setImmediate(() => call.destroy())));
    });
    expectRefused(await send(route, "{"), 400, "MALFORMED_JSON");
  });
});

describe("members of a job", () => {
  const submit = ROUTES.find(({ path, method }) => path === "/v1/jobs" && method === "POST") as Route;
  const payload = { type: "inference", prompt: "hello" };
  const faults: [string, object][] = [
    ["/payload/type", { payload: { ...payload, type: "mining" } }],
    ["/payload/prompt", { payload: { type: "inference" } }],
    ["/payload/prompt", { payload: { ...payload, prompt: "" } }],
    ["/payload/prompt", { payload: { ...payload, messages: [{ role: "user", content: "x" }] } }],
    [
      "/payload/messages/0/role",
      { payload: { type: "inference", messages: [{ role: "root", content: "x" }] } },
    ],
    [
      "/payload/messages/1/content",
      {
        payload: {
          type: "inference",
          messages: [
            { role: "user", content: "x" },
            { role: "user", content: 1 },
          ],
        },
      },
    ],
    ["/payload/temperature", { payload: { ...payload, temperature: -1 } }],
    ["/payload/max_tokens", { payload: { ...payload, max_tokens: 1.5 } }],
    ["/payload/max_tokens", { payload: { ...payload, max_tokens: 1e15 } }],
    ["/payload/seed", { payload: { ...payload, seed: -1 } }],
    ["/payload/stop/0", { payload: { ...payload, stop: [""] } }],
    ["/payload/model", { payload: { ...payload, model: "white space" } }],
    ["/payload/model", { payload: { ...payload, model: "é" } }],
    ["/constraints/region", { payload, constraints: { region: "\u0000" } }],
    ["/constraints/max_price", { payload, constraints: { max_price: 0.0000001 } }],
    ["/constraints/max_price", { payload, constraints: { max_price: -1 } }],
    ["/constraints/colour", { payload, constraints: { colour: 1 } }],
    ["/ttl_seconds", { payload, ttl_seconds: 0 }],
    ["/ttl_seconds", { payload, ttl_seconds: "900" }],
    ["/max_attempts", { payload, max_attempts: 1000 }],
    ["/priority", { payload, priority: 4 }],
    ["/payment_amount", { payload, payment_amount: 1 }],
  ];
  it.each(faults)("at fault: %s", async (pointer, body) => {
    const problem = await send(submit, JSON.stringify(body));
    expectRefused(problem, 422, "INVALID_PAYLOAD");
    expect(problem.pointer).toBe(pointer);
  });
});

describe("paths and queries", () => {
  it.each([
    "/v1/jobs/nonsense",
    `/v1/jobs/${"0".repeat(31)}`,
    `/v1/jobs/${"0".repeat(32)}/receipts?limit=0`,
    `/v1/jobs/${"0".repeat(32)}/receipts?limit=abc`,
    `/v1/jobs/${"0".repeat(32)}/receipts?cursor=-1`,
    "/v1/jobs/%00",
    "/v1/jobs/%ff%fe",
    "/v1/jobs/..%2f..%2fetc%2fpasswd",
    "/errors/%F0%28",
    `/errors/${"x".repeat(5000)}`,
    "/v1/jobs/%",
  ])("%s is the caller's fault", async (path) => {
    const response = await fetch(`${daemon.url}${path}`, { headers: { "x-api-key": daemon.keys.admin } });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(await response.json()).toMatchObject({ status: response.status, instance: expect.any(String) });
  });

  it("a method that a route does not have is told which it has", async () => {
    const response = await fetch(`${daemon.url}/v1/jobs`, { method: "PUT" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST, GET"]);
    expect(await response.json()).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
  });
});
