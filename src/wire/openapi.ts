import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import type { Access, Route } from "./access.ts";

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

function describeAccess(access: Access): string {
  return access === "public" ? "Public." : `Needs a key of kind ${access.join(" or ")}.`;
}

function streamedBody({
  description,
  contentType = "*/*",
}: NonNullable<Route["stream"]>): ZodOpenApiOperationObject["requestBody"] & object {
  return {
    description,
    content: { [contentType]: { schema: { type: "string", format: "binary" } } },
    required: true,
  };
}

function toOperation(contract: Route): ZodOpenApiOperationObject {
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
    security: contract.access === "public" ? [] : [{ api_key: [] }, { bearer: [] }],
    ...(Object.keys(requestParams).length > 0 ? { requestParams } : {}),
    ...(contract.body
      ? { requestBody: { content: { "application/json": { schema: contract.body } }, required: true } }
      : {}),
    ...(contract.stream ? { requestBody: streamedBody(contract.stream) } : {}),
    responses,
  };
}

type ZodOpenApiMediaTypes = Readonly<Record<string, { schema: z.ZodType }>>;

/** Writes routes as an OpenAPI 3.1 document. */
export function createOpenApi(routes: readonly Route[], version: string): object {
  const paths: ZodOpenApiPathsObject = {};
  for (const contract of routes) {
    const path = contract.path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
    paths[path] = { ...paths[path], [contract.method.toLowerCase()]: toOperation(contract) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: "aitbc",
      version,
      description: "A compute network for AI in one executable.",
      license: { name: "MIT", identifier: "MIT" },
    },
    components: {
      securitySchemes: {
        api_key: { type: "apiKey", in: "header", name: "X-Api-Key" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
    paths,
  });
}
