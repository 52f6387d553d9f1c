import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { getPath } from "hono/utils/url";
import { WebSocketServer } from "ws";
import { AppError } from "../kernel/errors.ts";
import { isServerFault, problemResponse } from "../kernel/http/problem.ts";
import type { HttpVariables, Router } from "../kernel/http/router.ts";
import type { Ids } from "../kernel/ids.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Access, Principal } from "../wire/access.ts";
import { MAX_FRAME_BYTES } from "../wire/limits.ts";
import { toCanonicalPath } from "./path-aliases.ts";
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

type AppRouter = Router<Access, Principal>;

/** Measures, logs and names every request, and turns errors into problem documents. */
function createRootApp(options: {
  routers: readonly AppRouter[];
  ids: Ids;
  log: Log;
  metrics: Metrics;
  /** Value of `RateLimit-Policy`. */
  policy: string;
}): Hono<HttpVariables> {
  const { ids, log, metrics } = options;
  const requests = metrics.counter("aitbc_http_requests_total", "Requests answered", [
    "method",
    "route",
    "status",
  ]);
  const seconds = metrics.seconds("aitbc_http_request_seconds", "Time to the answer's first byte", ["route"]);
  const app = new Hono<HttpVariables>({ getPath: (request) => toCanonicalPath(getPath(request)) });
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
  app.onError((error, c) => {
    const request_id = c.get("requestId");
    if (isServerFault(error)) log.error({ err: error, request_id, route: c.get("route") }, "request failed");
    return problemResponse(error, request_id, c.get("errors"));
  });
  for (const router of options.routers) app.route("/", router.app);
  app.notFound((c) => {
    const there = contractsAt(options.routers, toCanonicalPath(c.req.path));
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
function contractsAt(routers: readonly AppRouter[], path: string): AppRouter["contracts"][number][] {
  const parts = path.split("/");
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
function isStreamed(routers: readonly AppRouter[], { method, url = "/" }: IncomingMessage): boolean {
  const [path = "/"] = url.split("?");
  return contractsAt(routers, toCanonicalPath(path)).some(
    (contract) => contract.method === method && contract.stream !== undefined,
  );
}

/** The public listener: all routes of all roles but the wallet's. */
export class HttpServer implements Part {
  readonly name = "http";
  readonly app: Hono<HttpVariables>;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #host: string;
  readonly #port: number;
  #url = "";

  constructor(options: {
    host: string;
    port: number;
    maxConnections: number;
    routers: readonly AppRouter[];
    policy: string;
    ids: Ids;
    log: Log;
    metrics: Metrics;
    /** Limits of slow bodies; absent: those of `RequestDeadlines`. */
    deadlines?: DeadlineLimits;
  }) {
    this.#host = options.host;
    this.#port = options.port;
    this.app = createRootApp(options);
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
    new RequestDeadlines(this.#server, (request) => isStreamed(options.routers, request), options.deadlines);
    options.metrics.observed("aitbc_http_websockets", "Open WebSockets", () => this.#sockets.clients.size);
  }

  /** Where it listens; empty before the start. */
  get url(): string {
    return this.#url;
  }

  /** @throws AppError INVALID_CONFIG when the address cannot be had */
  async start(): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, this.#host, () => {
        server.off("error", reject);
        resolve();
      });
    }).catch((cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE" ? "is in use; choose another with --port" : `fails: ${cause.message}`;
      throw new AppError("INVALID_CONFIG", `cannot listen: ${this.#host}:${this.#port} ${why}`, { cause });
    });
    // A TCP listener's address is an object.
    const { address, family, port } = server.address() as AddressInfo;
    this.#url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
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
