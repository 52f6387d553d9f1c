import { z } from "zod";
import type { ErrorFormat, Failure } from "../../kernel/http/contract.ts";
import { walletRoute } from "./access.ts";
import { MAX_RPC_BATCH, MAX_RPC_ID } from "./limits.ts";

/** Error codes: those of JSON-RPC 2.0 §5.1, and the wallet's own. */
export const RPC_ERRORS = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  invalidCredentials: -32001,
  notPermitted: -32002,
  conflict: -32003,
  receiptNotFound: -32004,
  rateLimited: -32005,
  walletNotFound: -32006,
} as const;

/** Id of a call (JSON-RPC 2.0 §4). */
export const RpcId = z.union([z.string().max(MAX_RPC_ID), z.number(), z.null()]);
export type RpcId = z.infer<typeof RpcId>;

/** One call. Unknown members are refused: they would be a misspelt `params`. */
export const RpcCall = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id: RpcId.optional(),
  method: z.string().min(1).max(64),
  params: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]).optional(),
});
export type RpcCall = z.infer<typeof RpcCall>;

export const RpcErrorObject = z.object({
  code: z.int(),
  message: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
});
export type RpcErrorObject = z.infer<typeof RpcErrorObject>;

export const RpcReply = z
  .object({
    jsonrpc: z.literal("2.0"),
    id: RpcId,
    result: z.unknown().optional(),
    error: RpcErrorObject.optional(),
  })
  .meta({ id: "JsonRpcReply" });
export type RpcReply = z.infer<typeof RpcReply>;

const OK = 200;

/** Errors of a body that never became a call. What the caller may not send at all keeps its HTTP status. */
function write({ code, detail, title, status }: Failure): { json: RpcReply; status: number } {
  const isJson = code === "MALFORMED_JSON" || code === "INVALID_PAYLOAD";
  const number = code === "MALFORMED_JSON" ? RPC_ERRORS.parse : RPC_ERRORS.invalidRequest;
  const text = code === "MALFORMED_JSON" ? "parse error" : "invalid request";
  return {
    json: {
      jsonrpc: "2.0",
      id: null,
      error: { code: number, message: text, data: { code, detail: detail ?? title } },
    },
    status: isJson ? OK : status,
  };
}

const RPC_ERROR_FORMAT: ErrorFormat = { schema: RpcReply, write };

export const rpc = walletRoute({
  method: "POST",
  path: "/rpc",
  access: "token",
  tag: "JSON-RPC",
  summary: "JSON-RPC 2.0: one call, or a batch of them",
  description: `Methods: receipts.verify_latest, receipts.verify_history, receipts.status, wallet.list, wallet.create, wallet.unlock, wallet.lock, wallet.sign. A batch holds at most ${MAX_RPC_BATCH} calls, which run one after the other; a larger one is refused as a whole. A call without \`id\` is not answered.`,
  body: z.unknown().meta({ description: "A call, or an array of calls" }),
  errors: RPC_ERROR_FORMAT,
  responses: {
    200: { description: "A reply, or an array of them", schema: z.union([RpcReply, z.array(RpcReply)]) },
    204: { description: "No call had an id" },
  },
});
