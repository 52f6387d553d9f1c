import { describe, expect, it } from "vitest";
import { openCoordinatorStore } from "../../../../test/harness/coordinator-store.ts";
import { codeOf } from "../../../../test/harness/database.ts";
import { MAX_TEMPLATES } from "../../../wire/limits.ts";
import type { TemplateTable } from "../tables.ts";
import { addTemplate, deleteTemplate } from "./templates.ts";

const toTemplate = (name: string, owner_id = "owner"): TemplateTable => ({
  owner_id,
  name,
  created_at: 0,
  submission: "{}",
});

describe("addTemplate", () => {
  it("keeps so many of an owner, each name once", async () => {
    const { operation } = await openCoordinatorStore();
    await operation(addTemplate, toTemplate("0"));
    expect(await codeOf(operation(addTemplate, toTemplate("0")))).toBe("TEMPLATE_EXISTS");
    const others = Array.from({ length: MAX_TEMPLATES }, (_, index) => toTemplate(String(index + 1)));
    const codes = await Promise.all(others.map((template) => codeOf(operation(addTemplate, template))));
    expect(codes.filter((code) => code === "resolved")).toHaveLength(MAX_TEMPLATES - 1);
    expect(codes.filter((code) => code === "LIMIT_EXCEEDED")).toHaveLength(1);
    await operation(addTemplate, toTemplate("0", "somebody else"));
    await operation(deleteTemplate, "owner", "0");
    await operation(addTemplate, toTemplate("another"));
  });
});
