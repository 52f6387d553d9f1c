import type { z } from "zod";

export type HttpMethod = "GET" | "POST" | "PUT" | "DELETE";

/** One answer that a route can give. Problem answers are not listed: every route can give them. */
export interface ResponseContract {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** Media type; `application/json` when absent. */
  readonly contentType?: string;
}

/** A failure as a caller may hear of it, before it is written in the words of an API. */
export interface Failure {
  readonly status: number;
  /** Code of the error registry. */
  readonly code: string;
  readonly title: string;
  /** What is wrong and what to do. Absent for a 5xx, whose cause is nobody's business outside. */
  readonly detail?: string;
  /** What is wrong with a value, without the place where it stands. */
  readonly fault?: { readonly kind: "missing" | "unknown" | "invalid"; readonly what: string };
  /** Where in the body the fault is (RFC 6901). */
  readonly pointer?: string;
  /** Name of the member that asks for what cannot be had. */
  readonly member?: string;
  /** Numbers that tell more of it, by name. */
  readonly numbers?: Readonly<Record<string, number>>;
  /** Whether the same call can succeed later. */
  readonly retry: "never" | "later";
  readonly requestId: string;
}

/** How the routes of another program's API write their errors, where ours would be problem documents. */
export interface ErrorFormat {
  readonly schema: z.ZodType;
  /** The body, as JSON; headers and another status than the registry's, where that API has them. */
  write(failure: Failure): {
    readonly json: unknown;
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string>>;
  };
}

/**
 * What a route promises: the one source of its validation, its authorisation and its place in the OpenAPI
 * document. `Access` is the deployment's own vocabulary of who may call.
 */
export interface RouteContract<Access = unknown> {
  readonly method: HttpMethod;
  /** Path with `:name` parameters; a last `:name{.+}` takes the rest of the path. */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Largest JSON body, in bytes; absent: that of all routes. */
  readonly maxBodyBytes?: number;
  /** How errors are written, whatever their cause; absent: as problem documents (RFC 9457). */
  readonly errors?: ErrorFormat;
  /** What a caller does whose body is too large; absent: it sends a smaller one. */
  readonly tooLargeHint?: string;
  /** The route takes a body of any bytes instead, which its handler reads as it arrives. */
  readonly stream?: {
    readonly description: string;
    /** Absent: any. */
    readonly contentType?: string;
  };
  readonly responses: Readonly<Record<number, ResponseContract>>;
}
