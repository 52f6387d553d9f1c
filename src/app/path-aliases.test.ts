import { describe, expect, it } from "vitest";
import { ROUTES } from "../wire/routes.ts";
import { createPathAliases } from "./path-aliases.ts";

const toCanonicalPath = createPathAliases(ROUTES);

describe("path aliases", () => {
  it.each([
    ["/v1/jobs", "/v1/jobs"],
    ["/api/v1/jobs/abc/result", "/v1/jobs/abc/result"],
    ["/jobs", "/v1/jobs"],
    ["/jobs/abc/cancel", "/v1/jobs/abc/cancel"],
    ["/admin/keys", "/v1/admin/keys"],
    ["/docs", "/docs"],
    ["/readyz", "/readyz"],
    ["/api/chat", "/api/chat"],
    ["/jobsx", "/jobsx"],
    ["/", "/"],
  ])("%s means %s", (path, expected) => {
    expect(toCanonicalPath(path)).toBe(expected);
  });
});
