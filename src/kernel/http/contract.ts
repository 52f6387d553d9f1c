import type { z } from "zod";

export type HttpMethod = "GET" | "POST" | "PUT" | "DELETE";

/** One answer that a route can give. Problem answers are not listed: every route can give them. */
export interface ResponseContract {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Media type; `application/json` when absent. */
  readonly contentType?: string;
}

/**
 * What a route promises: the one source of its validation, its authorisation and its place in the OpenAPI
 * document. `Access` is the deployment's own vocabulary of who may call.
 */
export interface RouteContract<Access = unknown> {
  readonly method: HttpMethod;
  /** Path with `:name` parameters. */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly headers?: z.ZodType;
  readonly body?: z.ZodType;
  /** What a caller does whose body is too large; absent: it sends a smaller one. */
  readonly tooLargeHint?: string;
  /** The route takes a body of any bytes instead, which its handler reads as it arrives. */
  readonly stream?: { readonly description: string };
  readonly responses: Readonly<Record<number, ResponseContract>>;
}
