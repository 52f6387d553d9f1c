import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Route } from "../../src/wire/access.ts";
import { ROUTES } from "../../src/wire/routes.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { codeOf } from "../harness/database.ts";
import { job } from "../harness/jobs.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

const MALFORMED = "ait_client_nonsense";
const CALLERS = ["nobody", "malformed", "revoked", "client", "miner", "admin"] as const;
type Caller = (typeof CALLERS)[number];

const nameOf = ({ method, path }: Pick<Route, "method" | "path">): string => `${method} ${path}`;

let daemon: TestDaemon;
let keys: Readonly<Record<Caller, string | undefined>>;
let jobId: string;

beforeAll(async () => {
  daemon = await TestDaemon.start();
  const revoked = await daemon.admin.createKey({ kind: "admin", name: "revoked" });
  await daemon.admin.revokeKey(revoked.key_id);
  const { client, miner, admin } = daemon.keys;
  keys = { nobody: undefined, malformed: MALFORMED, revoked: revoked.key, client, miner, admin };
  jobId = (await daemon.client.submitJob(job("whose?"))).job_id;
});
afterAll(() => daemon[Symbol.asyncDispose]());

/** A body that every route with a body refuses: what is tested is who may call, not what happens then. */
function request({ method, body }: Route, key: string | undefined, header: string): RequestInit {
  const headers = new Headers(
    key === undefined ? {} : { [header]: header === "authorization" ? `Bearer ${key}` : key },
  );
  if (body) headers.set("content-type", "application/json");
  return { method, headers, ...(body && { body: "{}" }) };
}

async function statusOf(route: Route, key: string | undefined, header = "x-api-key"): Promise<number> {
  const path = route.path.replaceAll(/:(\w+)/g, (_all, name: string) =>
    name === "job_id" ? "0".repeat(32) : "unknown",
  );
  const response = await daemon.daemon.app.request(path, request(route, key, header));
  await response.body?.cancel();
  return response.status;
}

/** What the declaration of a route promises a caller. */
function expected({ access }: Route, caller: Caller): "let in" | 401 | 403 {
  if (access === "public") return "let in";
  if (caller === "nobody" || caller === "malformed" || caller === "revoked") return 401;
  return access.includes(caller) ? "let in" : 403;
}

describe.each(CALLERS)("the authorisation of %s", (caller) => {
  it.each(ROUTES.map((route) => [nameOf(route), route] as const))(
    "for %s is as declared",
    async (_name, route) => {
      for (const header of ["x-api-key", "authorization"]) {
        const status = await statusOf(route, keys[caller], header);
        const promise = expected(route, caller);
        if (promise === "let in") expect([401, 403]).not.toContain(status);
        else expect(status).toBe(promise);
        expect(status).not.toBe(500);
      }
    },
  );
});

/** What an app serves, whoever mounted it. Each router begins with its one wrapper around all requests. */
function servedBy(app: Pick<Hono, "routes">): string[] {
  return app.routes.map(nameOf as (route: { method: string; path: string }) => string).sort();
}

describe("the list of routes", () => {
  const wrapper = "ALL /*";
  const declared = [wrapper, ...ROUTES.map(nameOf)].sort();

  it("is what the daemon serves: nothing more, nothing less", () => {
    expect(servedBy(daemon.daemon.app as never)).toEqual(declared);
  });

  it("would show a handler that was mounted beside it", () => {
    for (const mount of [
      (app: Hono) => app.get("/v1/back-door", (c) => c.text("come in")),
      (app: Hono) => app.all("/*", (c) => c.text("come in")),
      (app: Hono) => app.get("/v1/jobs", (c) => c.text("come in")),
    ]) {
      const app = new Hono();
      app.route("/", daemon.daemon.app as never);
      mount(app);
      expect(servedBy(app)).not.toEqual(declared);
    }
  });

  it("opens to everybody only what the design names", () => {
    const open = ROUTES.filter(({ access }) => access === "public").map(nameOf);
    expect(open.sort()).toEqual(
      [
        "/",
        "/api/version",
        "/docs",
        "/errors/:code",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/v1/health",
      ].map((path) => `GET ${path}`),
    );
  });
});

describe("the answer to a caller that may not", () => {
  it("says what existing clients expect to read", async () => {
    const response = await daemon.daemon.app.request("/v1/jobs/x");
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await response.json()).toMatchObject({ code: "UNAUTHORIZED_KEY", detail: "invalid api key" });
  });

  it("comes before anything of the request is looked at", async () => {
    const headers = { "content-type": "text/plain" };
    const response = await daemon.daemon.app.request("/v1/jobs", { method: "POST", headers, body: "{" });
    expect(response.status).toBe(401);
  });
});

describe("another client's job", () => {
  const ofJob = ROUTES.filter(({ path, access }) => path.includes(":job_id") && access.includes("client"));

  it.each(ofJob.map((route) => [nameOf(route), route] as const))(
    "does not exist for %s",
    async (_name, route) => {
      const { key } = await daemon.admin.createKey({ kind: "client", name: "stranger" });
      const path = route.path.replace(":job_id", jobId);
      const response = await daemon.daemon.app.request(path, request(route, key, "x-api-key"));
      expect(response.status).toBe(404);
      // The same answer as for a job that nobody has, but for the request's id.
      const { instance: _instance, ...problem } = (await response.json()) as Record<string, unknown>;
      expect(problem).toMatchObject({ code: "JOB_NOT_FOUND", detail: "job not found" });
      expect((await daemon.client.getJob(jobId)).state).toBe("QUEUED");
    },
  );
});

describe("a revoked key", () => {
  it("is refused at once, and the session that it admitted ends", async () => {
    const created = await daemon.admin.createKey({ kind: "miner", name: "leaving" });
    const miner = await ScriptedMiner.join({ url: daemon.url, keys: { ...daemon.keys, miner: created.key } });
    await daemon.admin.revokeKey(created.key_id);
    expect(await miner.ended()).toBe("the API key was revoked");
    const again = ScriptedMiner.dial({ url: daemon.url, keys: { ...daemon.keys, miner: created.key } });
    expect(await codeOf(again)).toBe("UNAUTHORIZED_KEY");
  });

  it("is never the last one of an administrator", async () => {
    const [own] = (await daemon.admin.listKeys()).filter(
      ({ kind, revoked_at }) => kind === "admin" && !revoked_at,
    );
    expect(await codeOf(daemon.admin.revokeKey(own?.key_id ?? ""))).toBe("CONFLICT_STATE");
  });
});
