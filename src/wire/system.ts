import { z } from "zod";
import { KEY_KINDS, route } from "./access.ts";
import { DisplayName, Timestamp } from "./scalars.ts";

export const getRoot = route({
  method: "GET",
  path: "/",
  access: "public",
  tag: "System",
  summary: "Where to go from here, as a page",
  description: "Clients of Ollama ask for it to see whether the server is there.",
  responses: { 200: { description: "A page", contentType: "text/html" } },
});

export const getHealth = route({
  method: "GET",
  path: "/v1/health",
  access: "public",
  tag: "System",
  summary: "The process answers",
  responses: {
    200: {
      description: "Alive",
      schema: z.object({
        status: z.literal("ok"),
        env: z.string(),
        version: z.string(),
        roles: z.array(z.string()),
      }),
    },
  },
});

export const getReady = route({
  method: "GET",
  path: "/readyz",
  access: "public",
  tag: "System",
  summary: "Every role can do its work",
  responses: {
    200: { description: "Ready", schema: z.object({ status: z.literal("ready") }) },
    503: {
      description: "Not ready, with what is missing",
      schema: z.object({ status: z.literal("not_ready"), waiting_for: z.array(z.string()) }),
    },
  },
});

export const getMetrics = route({
  method: "GET",
  path: "/metrics",
  access: "public",
  tag: "System",
  summary: "Metrics in Prometheus' text format",
  responses: { 200: { description: "Metrics", contentType: "text/plain" } },
});

export const getOpenApi = route({
  method: "GET",
  path: "/openapi.json",
  access: "public",
  tag: "System",
  summary: "This interface as an OpenAPI 3.1 document",
  responses: { 200: { description: "OpenAPI document" } },
});

export const getDocs = route({
  method: "GET",
  path: "/docs",
  access: "public",
  tag: "System",
  summary: "This interface as a page for people",
  responses: { 200: { description: "A page", contentType: "text/html" } },
});

export const getErrorPage = route({
  method: "GET",
  path: "/errors/:code",
  access: "public",
  tag: "System",
  summary: "What an error code means",
  params: z.object({ code: z.string().max(64) }),
  responses: { 200: { description: "A page", contentType: "text/html" } },
});

export const KeyView = z.object({
  key_id: z.string(),
  kind: z.enum(KEY_KINDS),
  name: z.string(),
  owner_id: z.string(),
  created_at: Timestamp,
  revoked_at: Timestamp.nullable(),
});
export type KeyView = z.infer<typeof KeyView>;

export const CreatedKey = KeyView.extend({
  key: z.string().meta({ description: "The key; shown only now" }),
});
export type CreatedKey = z.infer<typeof CreatedKey>;

export const createKey = route({
  method: "POST",
  path: "/v1/admin/keys",
  access: ["admin"],
  tag: "Keys",
  summary: "Create an API key",
  body: z.strictObject({ kind: z.enum(KEY_KINDS), name: DisplayName }),
  responses: { 201: { description: "The key, shown once", schema: CreatedKey } },
});

export const listKeys = route({
  method: "GET",
  path: "/v1/admin/keys",
  access: ["admin"],
  tag: "Keys",
  summary: "List API keys, without their secrets",
  responses: { 200: { description: "All keys", schema: z.object({ items: z.array(KeyView) }) } },
});

export const revokeKey = route({
  method: "DELETE",
  path: "/v1/admin/keys/:key_id",
  access: ["admin"],
  tag: "Keys",
  summary: "Revoke an API key",
  description: "Works at once. The last admin key cannot be revoked.",
  params: z.object({ key_id: z.string().max(64) }),
  responses: { 200: { description: "The key, revoked", schema: KeyView } },
});

export const SYSTEM_ROUTES = [
  getRoot,
  getHealth,
  getReady,
  getMetrics,
  getOpenApi,
  getDocs,
  getErrorPage,
] as const;
export const KEY_ROUTES = [createKey, listKeys, revokeKey] as const;
