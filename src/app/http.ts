import type { IncomingMessage, Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { getPath } from "hono/utils/url";
import { WebSocketServer } from "ws";
import { AppError } from "../kernel/errors.ts";
import type { RouteContract } from "../kernel/http/contract.ts";
import { isServerFault, problemResponse } from "../kernel/http/problem.ts";
import type { HttpVariables } from "../kernel/http/router.ts";
import type { Ids } from "../kernel/ids.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Metrics } from "../kernel/metrics.ts";
import { MAX_FRAME_BYTES } from "../wire/limits.ts";
import { listenOn, type Place } from "./listen.ts";
import { createPathAliases } from "./path-aliases.ts";
import { rateHeaders } from "./rate-limit.ts";
import { answerRefusedRequests } from "./refused-requests.ts";
import { type DeadlineLimits, RequestDeadlines } from "./request-deadlines.ts";

/** Time for a request's headers, in ms (design §12), and how often Node looks. */
const HEADERS_TIMEOUT_MS = 10_000;
const HEADERS_CHECK_MS = 1_000;
/** Connections that are idle this long are closed, in ms. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** A request id that a caller may choose. */
const REQUEST_ID = /^[\w.:-]{1,64}$/;

/** A router of any deployment's vocabulary. */
export interface AppRouter {
  readonly app: Hono<HttpVariables>;
  readonly contracts: readonly RouteContract[];
}

/** What a listener decides of a request before it is looked at: returns, or throws an AppError. */
export type Admit = (request: { readonly method: string; header(name: string): string | undefined }) => void;

interface Routing {
  readonly routers: readonly AppRouter[];
  /** The path that a request means. */
  readonly toPath: (path: string) => string;
}

/** Measures, logs and names every request, and turns errors into problem documents. */
function createRootApp(options: {
  routing: Routing;
  name: ListenerName;
  admit: Admit | undefined;
  ids: Ids;
  log: Log;
  metrics: Metrics;
  /** Value of `RateLimit-Policy`. */
  policy: string;
}): Hono<HttpVariables> {
  const { ids, log, metrics, routing, name, admit } = options;
  const requests = metrics.counter(`aitbc_${name}_requests_total`, "Requests answered", [
    "method",
    "route",
    "status",
  ]);
  const seconds = metrics.seconds(`aitbc_${name}_request_seconds`, "Time to the answer's first byte", [
    "route",
  ]);
  const app = new Hono<HttpVariables>({ getPath: (request) => routing.toPath(getPath(request)) });
  app.use(async (c, next) => {
    const began = performance.now();
    const given = c.req.header("x-request-id");
    c.set("requestId", given && REQUEST_ID.test(given) ? given : ids.next());
    c.set("route", "unknown");
    await next();
    const route = c.get("route");
    requests.inc({ method: c.req.method, route, status: c.res.status });
    seconds.observe({ route }, (performance.now() - began) / 1000);
    c.res.headers.set("x-request-id", c.get("requestId"));
    c.res.headers.set("x-content-type-options", "nosniff");
    const rate = c.get("rate");
    if (rate) for (const [name, value] of rateHeaders(rate, options.policy)) c.res.headers.set(name, value);
  });
  if (admit) {
    app.use(async (c, next) => {
      admit({ method: c.req.method, header: (header) => c.req.header(header) });
      await next();
    });
  }
  app.onError((error, c) => {
    const request_id = c.get("requestId");
    if (isServerFault(error)) log.error({ err: error, request_id, route: c.get("route") }, "request failed");
    return problemResponse(error, request_id, c.get("errors"));
  });
  for (const router of routing.routers) app.route("/", router.app);
  app.notFound((c) => {
    const there = contractsAt(routing, c.req.path);
    const allowed = there.map(({ method }) => method);
    const error =
      allowed.length > 0
        ? new AppError("METHOD_NOT_ALLOWED", `this route has ${allowed.join(", ")}`)
        : new AppError("ROUTE_NOT_FOUND", "there is no such route; /docs lists them");
    const response = problemResponse(error, c.get("requestId"), there[0]?.errors);
    if (allowed.length > 0) response.headers.set("allow", allowed.join(", "));
    return response;
  });
  return app;
}

/** The contracts of the routes that a path fits. */
function contractsAt({ routers, toPath }: Routing, path: string): RouteContract[] {
  const parts = toPath(path).split("/");
  const fits = (pattern: string): boolean => {
    const expected = pattern.split("/");
    const takesRest = expected.at(-1)?.endsWith("{.+}") ?? false;
    return (
      (takesRest ? expected.length <= parts.length : expected.length === parts.length) &&
      expected.every((part, index) => part.startsWith(":") || part === parts[index])
    );
  };
  return routers.flatMap(({ contracts }) => contracts.filter((contract) => fits(contract.path)));
}

/** Whether a request's body is streamed to its route. */
function isStreamed(routing: Routing, { method, url = "/" }: IncomingMessage): boolean {
  const [path = "/"] = url.split("?");
  return contractsAt(routing, path).some(
    (contract) => contract.method === method && contract.stream !== undefined,
  );
}

/** The listeners of a daemon; their metrics are called so. */
type ListenerName = "http" | "wallet_http";

/** A listener: the public one with all routes of all roles but the wallet's, or the wallet's own. */
export class HttpServer implements Part {
  readonly name: ListenerName;
  readonly app: Hono<HttpVariables>;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #place: Place;
  #url = "";

  constructor(options: {
    /** Absent: the public one. */
    name?: ListenerName;
    place: Place;
    maxConnections: number;
    routers: readonly AppRouter[];
    policy: string;
    ids: Ids;
    log: Log;
    metrics: Metrics;
    /** Absent: everybody's requests are looked at. */
    admit?: Admit;
    /** Limits of slow bodies; absent: those of `RequestDeadlines`. */
    deadlines?: DeadlineLimits;
  }) {
    const { name = "http", routers, admit, metrics } = options;
    this.name = name;
    this.#place = options.place;
    const toPath = createPathAliases(routers.flatMap(({ contracts }) => contracts));
    const routing: Routing = { routers, toPath };
    this.app = createRootApp({ ...options, name, routing, admit });
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
    });
    // Without a server factory the adapter makes a plain node:http server.
    this.#server = createAdaptorServer({
      fetch: this.app.fetch,
      // The adapter's type asks for `noServer` to be set, which it is.
      websocket: { server: this.#sockets as never },
      serverOptions: { connectionsCheckingInterval: HEADERS_CHECK_MS },
    }) as Server;
    this.#server.headersTimeout = HEADERS_TIMEOUT_MS;
    this.#server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
    this.#server.maxConnections = options.maxConnections;
    answerRefusedRequests(this.#server);
    new RequestDeadlines(this.#server, (request) => isStreamed(routing, request), options.deadlines);
    metrics.observed(`aitbc_${name}_websockets`, "Open WebSockets", () => this.#sockets.clients.size);
  }

  /** Where it listens; empty before the start. */
  get url(): string {
    return this.#url;
  }

  /** @throws AppError INVALID_CONFIG when the address cannot be had */
  async start(): Promise<void> {
    this.#url = await listenOn(this.#server, this.#place);
  }

  /** Takes no new connection, and ends the open ones: streams can be resumed elsewhere or after a restart. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#sockets.close();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    await closed;
  }
}
