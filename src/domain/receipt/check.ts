/** Checks a value against the description of its members. */
import { JsonNumber } from "../../crypto/legacy-json.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Field } from "./field.ts";

/**
 * Throws INVALID_RECEIPT, with a pointer to the member, unless `value` is what `field` describes. Members that
 * are null count as absent, because the canonical form leaves them out.
 */
export function checkField(field: Field, value: unknown, pointer: string): void {
  switch (field.kind) {
    case "text":
      if (typeof value !== "string" || !field.regex.test(value)) fail(pointer, field.about);
      return;
    case "integer":
      if (!Number.isSafeInteger(value) || Number(value) < field.min) {
        fail(pointer, `${field.about}: a whole number ≥ ${field.min}`);
      }
      return;
    case "number":
      if (typeof value !== "number" && !(value instanceof JsonNumber))
        fail(pointer, `${field.about}: a number`);
      return;
    case "constant":
      if (typeof value !== "string" || !field.values.includes(value)) {
        fail(pointer, `${field.about}: ${field.values.join(" or ")}`);
      }
      return;
    case "list":
      if (!Array.isArray(value) || value.length > field.max) fail(pointer, `a list of at most ${field.max}`);
      // Narrowed by the check above, whose failure does not return.
      for (const [index, item] of (value as unknown[]).entries())
        checkField(field.item, item, `${pointer}/${index}`);
      return;
    case "object":
      if (!isObject(value)) fail(pointer, "an object");
      for (const [name, member] of Object.entries(field.members)) {
        const at = `${pointer}/${name}`;
        const present = value[name] !== undefined && value[name] !== null;
        if (present) checkField(member, value[name], at);
        else if (!member.optional) fail(at, `${member.about}; the member is missing`);
      }
  }
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber)
  );
}

function fail(pointer: string, expected: string): never {
  throw new AppError("INVALID_RECEIPT", `${pointer === "" ? "the receipt" : pointer}: expected ${expected}`, {
    meta: { pointer },
  });
}
