import { describe, expect, it } from "vitest";
import { z } from "zod";
import { JobSubmission } from "./jobs.ts";

describe("the schema of a submission", () => {
  it("can be compiled: a schema that contains itself would be three times as slow with every job", () => {
    expect(() => z.compile(JobSubmission, { strict: true })).not.toThrow();
  });
});
