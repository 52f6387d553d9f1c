import type { ServerResponse } from "node:http";
import { upgradeWebSocket } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { WebSocket } from "ws";
import type { z } from "zod";
import type { Channel } from "../channel.ts";
import { AppError } from "../errors.ts";
import { type JsonValue, parseJson } from "../json.ts";
import type { RateDecision } from "../rate-limit.ts";
import { channelOverSocket, watchSocket } from "../socket-channel.ts";
import { check, readJsonText } from "./body.ts";
import type { ErrorFormat, RouteContract } from "./contract.ts";
import { writeStraightTo } from "./event-stream.ts";

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What a handler gets: everything is parsed and checked, and the caller is known. */
export interface Call<C extends RouteContract, Principal> {
  readonly params: Parsed<C["params"]>;
  readonly query: Parsed<C["query"]>;
  readonly headers: Parsed<C["headers"]>;
  readonly body: Parsed<C["body"]>;
  /** The text of the body as it came, for hashing; empty without a body. */
  readonly bodyText: string;
  /**
   * Opens the body of a route with `stream`; reading slowly slows its sender down. Null without a body. What is
   * refused before is discarded, and its connection serves on.
   */
  openStream(): ReadableStream<Uint8Array> | null;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** A JSON answer. `text` is JSON that is already written, for answers that are replayed byte for byte. */
export type Reply =
  | { readonly status: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status: number; readonly text: string; readonly headers?: Readonly<Record<string, string>> };

/** Answers 200 with a JSON value. */
export const ok = (json: unknown): Reply => ({ status: 200, json });

export type Handler<C extends RouteContract, Principal> = (
  call: Call<C, Principal>,
) => Promise<Reply | Response> | Reply | Response;

/** Decides on a WebSocket before its upgrade; what it returns serves the open one. */
export type Admit<C extends RouteContract, Principal> = (
  call: Pick<Call<C, Principal>, "query" | "headers" | "principal">,
) => Promise<(channel: Channel) => void> | ((channel: Channel) => void);

/** Finds out who calls and whether it may; throws an AppError when it may not. */
export type Authorize<Access, Principal> = (
  context: Context<HttpVariables>,
  access: Access,
) => Principal | Promise<Principal>;

/** Variables that the root app sets for every request. */
export interface HttpVariables {
  Variables: { requestId: string; route: string; rate?: RateDecision; errors?: ErrorFormat };
}

export interface Router<Access, Principal> {
  readonly app: Hono<HttpVariables>;
  /** The contracts of all routes that were added. */
  readonly contracts: readonly RouteContract<Access>[];
  on<const C extends RouteContract<Access>>(contract: C, handler: Handler<C, Principal>): void;
  /**
   * Adds a WebSocket route. The caller is known and `admit` has agreed before the upgrade; what they throw is
   * answered instead of it.
   */
  socket<const C extends RouteContract<Access>>(contract: C, admit: Admit<C, Principal>): void;
}

/** Reads the headers that a schema names: to list all that came would cost more than the check. */
function headersReader(schema: z.ZodObject): (c: Context) => unknown {
  const names = Object.keys(schema.shape);
  return ({ req }) => {
    const headers: Record<string, string> = {};
    for (const name of names) {
      const value = req.header(name);
      if (value !== undefined) headers[name] = value;
    }
    return check(schema, headers, "header");
  };
}

/**
 * Creates a router. A route exists only with its contract: validation and authorisation cannot be left out.
 * `maxBodyBytes` bounds every JSON body whose contract names no other bound.
 */
export function createRouter<Access, Principal>(
  authorize: Authorize<Access, Principal>,
  maxBodyBytes: number,
): Router<Access, Principal> {
  const app = new Hono<HttpVariables>();
  const contracts: RouteContract<Access>[] = [];
  const readBody = async (c: Context, contract: RouteContract<Access>): Promise<[unknown, string]> => {
    const { body: schema, tooLargeHint } = contract;
    if (!schema) return [undefined, ""];
    const text = await readJsonText(c.req, contract.maxBodyBytes ?? maxBodyBytes, tooLargeHint);
    const value: JsonValue = parseJson(text);
    return [check(schema, value, "body"), text];
  };
  return {
    app,
    contracts,
    on(contract, handler) {
      contracts.push(contract);
      const readHeaders = contract.headers && headersReader(contract.headers);
      app.on(contract.method, contract.path, async (c) => {
        c.set("route", contract.path);
        if (contract.errors) c.set("errors", contract.errors);
        const principal = await authorize(c, contract.access);
        const [body, bodyText] = await readBody(c, contract);
        // The casts join the schema that was just applied to the type that the contract derives from it.
        const call = {
          params: contract.params && check(contract.params, c.req.param(), "path"),
          query: contract.query && check(contract.query, c.req.query(), "query"),
          headers: readHeaders?.(c),
          body,
          bodyText,
          openStream: () => (contract.stream ? c.req.raw.body : null),
          principal,
          requestId: c.get("requestId"),
          signal: c.req.raw.signal,
        } as Parameters<typeof handler>[0];
        const reply = await handler(call);
        if (reply instanceof Response) {
          // Nobody will read it: what makes the body must not wait for a reader.
          if (c.req.method === "HEAD") await reply.body?.cancel();
          // Absent where the app is called without a server.
          const { outgoing } = (c.env ?? {}) as { readonly outgoing?: ServerResponse };
          if (outgoing) writeStraightTo(reply, outgoing);
          return reply;
        }
        const text = "text" in reply ? reply.text : JSON.stringify(reply.json);
        return c.body(text, reply.status as 200, { "content-type": "application/json", ...reply.headers });
      });
    },
    socket(contract, admit) {
      contracts.push(contract);
      const readHeaders = contract.headers && headersReader(contract.headers);
      app.get(contract.path, async (c, next) => {
        c.set("route", contract.path);
        const principal = await authorize(c, contract.access);
        if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
          throw new AppError("INVALID_ARGUMENT", "this route speaks WebSocket; send an upgrade request");
        }
        // The cast joins the schemas to their types, as above.
        const call = {
          query: contract.query && check(contract.query, c.req.query(), "query"),
          headers: readHeaders?.(c),
          principal,
        } as Parameters<typeof admit>[0];
        const open = await admit(call);
        const upgrade = upgradeWebSocket(() => ({
          onOpen(_event, socket) {
            // The node adapter always carries the socket of `ws`.
            const raw = socket.raw as WebSocket;
            watchSocket(raw);
            open(channelOverSocket(raw));
          },
        }));
        return upgrade(c, next);
      });
    },
  };
}
