import { AppError } from "../errors.ts";
import type { StatementRule } from "./statements.ts";

const CONTROLS_CONNECTION =
  /^\s*(begin|commit|end|rollback|savepoint|release|attach|detach|pragma|vacuum)\b/i;
const ROLLS_BACK_NEIGHBOURS = /\bor\s+rollback\b|\braise\s*\(\s*rollback\b/i;
const DEFERS_TO_COMMIT = /\binitially\s+deferred\b/i;

/** What the handle outside operations may run: queries that write nothing. */
export const readRule: StatementRule = {
  checkText(sql) {
    if (CONTROLS_CONNECTION.test(sql)) throw misuse("a statement that controls the connection", sql);
  },
  checkCompiled(sql, { readonly }) {
    if (!readonly) throw misuse("a write outside an operation", sql);
  },
};

/** What the body of an operation may run: anything that cannot touch its neighbours in the batch. */
export const operationRule: StatementRule = {
  checkText(sql) {
    if (CONTROLS_CONNECTION.test(sql)) throw misuse("a statement that controls the connection", sql);
    if (ROLLS_BACK_NEIGHBOURS.test(sql)) throw misuse("OR ROLLBACK would undo the whole batch", sql);
    if (DEFERS_TO_COMMIT.test(sql)) throw misuse("a deferred constraint would fail the whole batch", sql);
  },
};

function misuse(detail: string, sql: string): AppError {
  return new AppError("STORAGE_MISUSE", `${detail}: ${sql}`, { meta: { sql } });
}
