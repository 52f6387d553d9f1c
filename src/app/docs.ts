import type { ErrorCode } from "../kernel/errors.ts";
import { ERRORS } from "../kernel/errors.ts";
import type { Route } from "../wire/access.ts";
import { escapeHtml, htmlPage } from "./html.ts";

/** The part of an OpenAPI operation that the page shows. */
interface Operation {
  readonly summary: string;
  readonly description: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: unknown }>> };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: object }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

function describeOperation(operation: Operation): string {
  const parameters = (operation.parameters ?? [])
    .map((parameter) => `<code>${escapeHtml(parameter.name)}</code> (${parameter.in})`)
    .join(", ");
  const body = operation.requestBody?.content["application/json"]?.schema;
  const answers = Object.entries(operation.responses)
    .map(([status, { description }]) => `<tr><td>${status}</td><td>${escapeHtml(description)}</td></tr>`)
    .join("");
  return [
    `<p>${escapeHtml(operation.description)}</p>`,
    parameters && `<p>Parameters: ${parameters}</p>`,
    body ? `<p>Body</p><pre>${escapeHtml(JSON.stringify(body, null, 2))}</pre>` : "",
    `<table>${answers}</table>`,
  ].join("");
}

function describeRoute(route: Route, document: Document): string {
  const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
  const operation = document.paths[path]?.[route.method.toLowerCase()];
  if (!operation) return "";
  return `<details><summary><b>${route.method}</b> <code>${escapeHtml(path)}</code> — ${escapeHtml(operation.summary)}</summary>${describeOperation(operation)}</details>`;
}

/** The interface as a page for people, made from the OpenAPI document. */
export function docsPage(routes: readonly Route[], document: object): Response {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const sections = tags.map((tag) => {
    // The document is one that createOpenApi made of the same routes.
    const entries = routes
      .filter((route) => route.tag === tag)
      .map((route) => describeRoute(route, document as Document));
    return `<h2>${escapeHtml(tag)}</h2>${entries.join("")}`;
  });
  return htmlPage(
    "aitbc API",
    `<h1>aitbc API</h1><p>Send the key as <code>X-Api-Key</code> or <code>Authorization: Bearer</code>.
Errors are problem documents (RFC 9457). The same as data: <a href="/openapi.json">openapi.json</a>.</p>${sections.join("")}`,
  );
}

/** What whoever opens the daemon's address in a browser sees. */
export function rootPage(version: string, roles: readonly string[]): Response {
  return htmlPage(
    "aitbc",
    `<h1>aitbc is running</h1><p>Version ${escapeHtml(version)}, with ${escapeHtml(roles.join(" and "))}.</p>
<p>Programs that speak OpenAI's API take <code>/v1</code> at this address as their base URL, those that speak Ollama's take
the address itself. <a href="/docs">All routes</a> · <a href="/v1/health">health</a> · <a href="/readyz">readiness</a> ·
<a href="/metrics">metrics</a></p>`,
  );
}

/** What an error code means. */
export function errorPage(code: ErrorCode): Response {
  const { title, status, exit, retry } = ERRORS[code];
  const again = retry === "later" ? "The same call can succeed later." : "The same call will fail again.";
  return htmlPage(
    code,
    `<h1><code>${code}</code></h1><p>${escapeHtml(title)}. ${again}</p>
<table><tr><td>HTTP status</td><td>${status}</td></tr><tr><td>Exit code of the command line</td><td>${exit}</td></tr></table>`,
  );
}
