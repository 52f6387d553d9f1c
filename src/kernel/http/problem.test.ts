import { describe, expect, it } from "vitest";
import { AppError } from "../errors.ts";
import { problemResponse } from "./problem.ts";

const REQUEST = "request-1";

describe("problem documents", () => {
  it("carry what RFC 9457 and our clients expect", async () => {
    const error = new AppError("INVALID_PAYLOAD", "/payload/type: must be inference", {
      meta: { pointer: "/payload/type" },
    });
    const response = problemResponse(error, REQUEST);
    expect(response.status).toBe(422);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toEqual({
      type: "/errors/INVALID_PAYLOAD",
      title: "A value is missing or not allowed",
      status: 422,
      detail: "/payload/type: must be inference",
      instance: REQUEST,
      code: "INVALID_PAYLOAD",
      pointer: "/payload/type",
    });
  });

  it("tell nothing of the cause of a 5xx", async () => {
    const text = await problemResponse(new Error("password is hunter2"), REQUEST).text();
    expect(text).not.toContain("hunter2");
    expect(JSON.parse(text)).not.toHaveProperty("detail");
  });

  it("say when to come back, where coming back helps", () => {
    const busy = new AppError("LIMIT_EXCEEDED", "full", { meta: { retry_after_seconds: 7 } });
    expect(problemResponse(busy, REQUEST).headers.get("retry-after")).toBe("7");
    expect(
      problemResponse(new AppError("JOB_NOT_FOUND", "no"), REQUEST).headers.get("retry-after"),
    ).toBeNull();
  });
});
