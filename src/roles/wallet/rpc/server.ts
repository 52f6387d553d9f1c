import { isServerFault } from "../../../kernel/http/problem.ts";
import { MAX_RPC_BATCH } from "../../../wire/wallet/limits.ts";
import { RPC_ERRORS, RpcCall, RpcId, type RpcReply } from "../../../wire/wallet/rpc.ts";
import { toRpcError, UnknownMethod } from "./failure.ts";
import { type Answering, METHODS } from "./methods.ts";

interface Deps extends Answering {
  /** An error that is the server's own fault: its reply tells only that. */
  readonly onFault: (error: unknown, requestId: string) => void;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Answers JSON-RPC 2.0 (jsonrpc.org/specification). A call fails in its own reply; no call breaks its neighbours. */
export class RpcServer {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Answers a body that was parsed: one call, or a batch, whose calls run in order, one after the other. A batch
   * that is empty or too long is refused as a whole. Undefined where no call wants a reply.
   */
  async answer(body: unknown, requestId: string): Promise<RpcReply | RpcReply[] | undefined> {
    if (!Array.isArray(body)) return this.#answerOne(body, requestId);
    if (body.length === 0) return invalid(null, "the batch is empty");
    if (body.length > MAX_RPC_BATCH) return invalid(null, `a batch holds at most ${MAX_RPC_BATCH} calls`);
    const replies: RpcReply[] = [];
    for (const one of body) {
      const reply = await this.#answerOne(one, requestId);
      if (reply) replies.push(reply);
    }
    return replies.length > 0 ? replies : undefined;
  }

  async #answerOne(value: unknown, requestId: string): Promise<RpcReply | undefined> {
    const parsed = RpcCall.safeParse(value);
    if (!parsed.success) {
      const id = isObject(value) ? RpcId.safeParse(value["id"]) : undefined;
      return invalid(id?.success ? id.data : null, "this is no JSON-RPC 2.0 call");
    }
    const { id, method, params = {} } = parsed.data;
    try {
      const run = METHODS.get(method);
      if (!run) throw new UnknownMethod();
      const result = await run(this.#deps, { via: "rpc", requestId }, params);
      return id === undefined ? undefined : { jsonrpc: "2.0", id, result };
    } catch (error) {
      if (!(error instanceof UnknownMethod) && isServerFault(error)) this.#deps.onFault(error, requestId);
      return id === undefined ? undefined : { jsonrpc: "2.0", id, error: toRpcError(error, requestId) };
    }
  }
}

function invalid(id: RpcId, detail: string): RpcReply {
  const error = { code: RPC_ERRORS.invalidRequest, message: "invalid request", data: { detail } };
  return { jsonrpc: "2.0", id, error };
}
