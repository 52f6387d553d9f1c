/** The JSON Schema (2020-12) of receipts, from the same description that receipts are checked with. */
import type { Canonicalizable } from "../../crypto/canonical-json.ts";
import type { Field } from "./field.ts";
import { LEGACY_RECEIPT, RECEIPT } from "./fields.ts";

type Schema = { readonly [keyword: string]: Canonicalizable };

/** Schema of both versions. */
export function receiptSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:aitbc:receipt",
    title: "AITBC receipt",
    description:
      "Signed statement of a finished segment of a job. README.md beside this file says what is signed.",
    anyOf: [toSchema(RECEIPT), toSchema(LEGACY_RECEIPT)],
  };
}

function toSchema(field: Field): Schema {
  const description = field.about;
  switch (field.kind) {
    case "text":
      return { type: "string", pattern: field.regex.source, description };
    case "integer":
      return { type: "integer", minimum: field.min, maximum: Number.MAX_SAFE_INTEGER, description };
    case "number":
      return { type: "number", description };
    case "constant":
      return { type: "string", enum: [...field.values], description };
    case "list":
      return { type: "array", items: toSchema(field.item), maxItems: field.max, description };
    case "object":
      return {
        type: "object",
        description,
        properties: Object.fromEntries(
          Object.entries(field.members).map(([name, member]) => [name, toMember(member)]),
        ),
        required: Object.entries(field.members).flatMap(([name, member]) => (member.optional ? [] : [name])),
      };
  }
}

/** A member that is null counts as absent. */
function toMember(field: Field): Schema {
  return field.optional ? { anyOf: [toSchema(field), { type: "null" }] } : toSchema(field);
}
