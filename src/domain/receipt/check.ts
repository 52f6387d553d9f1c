/** Checks a value against the description of its members. */
import { JsonNumber } from "../../crypto/legacy-json.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Field, ListField, ObjectField } from "./field.ts";

interface Problem {
  /** Pointer below the value that was checked. */
  readonly pointer: string;
  readonly expected: string;
}

/**
 * Throws INVALID_RECEIPT, with a pointer to the member, unless `value` is what `field` describes. Members that
 * are null count as absent, because the canonical form leaves them out.
 */
export function checkField(field: Field, value: unknown): void {
  const problem = findProblem(field, value);
  if (!problem) return;
  const { pointer, expected } = problem;
  throw new AppError("INVALID_RECEIPT", `${pointer === "" ? "the receipt" : pointer}: expected ${expected}`, {
    meta: { pointer },
  });
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber)
  );
}

const here = (expected: string): Problem => ({ pointer: "", expected });

/** Pointers are put together on the way back from a problem, so that a good receipt costs none. */
function findProblem(field: Field, value: unknown): Problem | undefined {
  switch (field.kind) {
    case "text":
      return typeof value === "string" && field.regex.test(value) ? undefined : here(field.about);
    case "integer":
      if (Number.isSafeInteger(value) && Number(value) >= field.min) return undefined;
      return here(`${field.about}: a whole number ≥ ${field.min}`);
    case "number":
      if (typeof value === "number" || value instanceof JsonNumber) return undefined;
      return here(`${field.about}: a number`);
    case "constant":
      if (typeof value === "string" && field.values.includes(value)) return undefined;
      return here(`${field.about}: ${field.values.join(" or ")}`);
    case "list":
      return findProblemInList(field, value);
    case "object":
      return findProblemInObject(field, value);
  }
}

function findProblemInList(field: ListField, value: unknown): Problem | undefined {
  if (!Array.isArray(value) || value.length > field.max) return here(`a list of at most ${field.max}`);
  for (let index = 0; index < value.length; index++) {
    const problem = findProblem(field.item, value[index]);
    if (problem) return { ...problem, pointer: `/${index}${problem.pointer}` };
  }
  return undefined;
}

function findProblemInObject(field: ObjectField, value: unknown): Problem | undefined {
  if (!isObject(value)) return here("an object");
  for (const name of field.names) {
    const member = field.members[name];
    const given = value[name];
    if (!member || (member.optional && (given === undefined || given === null))) continue;
    const problem = findProblem(member, given);
    if (!problem) continue;
    const missing = given === undefined || given === null ? "; the member is missing" : "";
    return { pointer: `/${name}${problem.pointer}`, expected: problem.expected + missing };
  }
  return undefined;
}
