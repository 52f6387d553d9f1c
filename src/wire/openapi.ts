import { z } from "zod";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiSecuritySchemeObject,
} from "zod-openapi";
import type { RouteContract } from "../kernel/http/contract.ts";
import type { Access, Route } from "./access.ts";
import type { WalletAccess, WalletRoute } from "./wallet/access.ts";

const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string(),
    code: z.string(),
    pointer: z.string().optional(),
    position: z.int().optional().meta({ description: "Of DEADLINE_UNREACHABLE: the place in the queue" }),
    eta_p50_ms: z.int().optional(),
    eta_p90_ms: z.int().optional(),
    deadline_ms: z.int().optional(),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem document" });

type AnyRoute = RouteContract<Access | WalletAccess>;

function describeAccess(access: Access | WalletAccess): string {
  if (access === "token") return "Needs the token of the wallet's listener.";
  return access === "public" ? "Public." : `Needs a key of kind ${access.join(" or ")}.`;
}

function streamedBody({
  description,
  contentType = "*/*",
}: NonNullable<AnyRoute["stream"]>): ZodOpenApiOperationObject["requestBody"] & object {
  return {
    description,
    content: { [contentType]: { schema: { type: "string", format: "binary" } } },
    required: true,
  };
}

function toOperation(contract: AnyRoute): ZodOpenApiOperationObject {
  const error: ZodOpenApiMediaTypes = contract.errors
    ? { "application/json": { schema: contract.errors.schema } }
    : { "application/problem+json": { schema: ProblemSchema } };
  const responses: ZodOpenApiOperationObject["responses"] = {
    default: { description: "An error", content: error },
  };
  for (const [status, response] of Object.entries(contract.responses)) {
    const type = response.contentType ?? "application/json";
    const content = response.schema ? { [type]: { schema: response.schema } } : { [type]: {} };
    responses[status as "200"] = {
      description: response.description,
      ...(response.schema || response.contentType ? { content } : {}),
    };
  }
  const requestParams = {
    ...(contract.params ? { path: contract.params as z.ZodObject } : {}),
    ...(contract.query ? { query: contract.query as z.ZodObject } : {}),
    ...(contract.headers ? { header: contract.headers as z.ZodObject } : {}),
  };
  return {
    tags: [contract.tag],
    summary: contract.summary,
    description: [contract.description, describeAccess(contract.access)].filter(Boolean).join("\n\n"),
    security: securityOf(contract.access),
    ...(Object.keys(requestParams).length > 0 ? { requestParams } : {}),
    ...(contract.body
      ? { requestBody: { content: { "application/json": { schema: contract.body } }, required: true } }
      : {}),
    ...(contract.stream ? { requestBody: streamedBody(contract.stream) } : {}),
    responses,
  };
}

type ZodOpenApiMediaTypes = Readonly<Record<string, { schema: z.ZodType }>>;

function securityOf(access: Access | WalletAccess): Record<string, string[]>[] {
  if (access === "public") return [];
  return access === "token" ? [{ bearer: [] }] : [{ api_key: [] }, { bearer: [] }];
}

const BEARER = { bearer: { type: "http", scheme: "bearer" } } as const;

/** Writes the routes of the public listener as an OpenAPI 3.1 document. */
export function createOpenApi(routes: readonly Route[], version: string): object {
  return writeDocument(routes, {
    title: "aitbc",
    version,
    description: "A compute network for AI in one executable.",
    securitySchemes: { api_key: { type: "apiKey", in: "header", name: "X-Api-Key" }, ...BEARER },
  });
}

/** Writes the routes of the wallet's own listener as an OpenAPI 3.1 document. */
export function createWalletOpenApi(routes: readonly WalletRoute[], version: string): object {
  return writeDocument(routes, {
    title: "aitbc wallet",
    version,
    description:
      "The wallet's own listener, for this machine alone. Every call shows the token of its file, comes under a name of this machine and from no web page, and changes something only with Content-Type: application/json.",
    securitySchemes: BEARER,
  });
}

function writeDocument(
  routes: readonly AnyRoute[],
  about: {
    readonly title: string;
    readonly version: string;
    readonly description: string;
    readonly securitySchemes: Readonly<Record<string, ZodOpenApiSecuritySchemeObject>>;
  },
): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const contract of routes) {
    const path = contract.path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
    paths[path] = { ...paths[path], [contract.method.toLowerCase()]: toOperation(contract) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: about.title,
      version: about.version,
      description: about.description,
      license: { name: "MIT", identifier: "MIT" },
    },
    components: {
      securitySchemes: about.securitySchemes,
    },
    paths,
  });
}
