import type { Kysely } from "kysely";
import { AppError } from "../errors.ts";
import { createHandle } from "./handle.ts";
import { readRule } from "./rules.ts";
import { describe, openRaw, type RawDatabase } from "./sqlite.ts";
import { Statements } from "./statements.ts";

/** Looks for what must never be, such as money out of balance, and returns each finding as a sentence. */
// A check knows the tables it reads; a copy may hold any.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type CopyCheck = (copy: Kysely<any>) => Promise<readonly string[]>;

/** Findings listed in one error; a broken file can have thousands. */
const MAX_FINDINGS = 10;

/**
 * Proves that a file, which nobody else has open, is a sound database: integrity, foreign keys, `checks`.
 * Leaves it as a single file, with nothing beside it. Errors: BACKUP_INVALID.
 */
export async function verifyCopy(
  path: string,
  checks: readonly CopyCheck[],
  nativeBinding?: object,
): Promise<void> {
  let findings: readonly string[];
  try {
    const raw = openRaw(path, { readonly: false, nativeBinding });
    try {
      // A copy of a database in WAL mode asks for a WAL too; without one it is complete by itself.
      raw.pragma("journal_mode = DELETE");
      findings = [...structuralFindings(raw), ...(await extraFindings(raw, checks))];
    } finally {
      raw.close();
    }
  } catch (cause) {
    if (cause instanceof AppError && cause.code !== "STORAGE_UNAVAILABLE") throw cause;
    throw new AppError("BACKUP_INVALID", `${path} is not a readable database: ${describe(cause)}`, { cause });
  }
  if (findings.length === 0) return;
  throw new AppError("BACKUP_INVALID", `${path} is damaged: ${findings[0]}`, {
    meta: { findings: findings.slice(0, MAX_FINDINGS) },
  });
}

function structuralFindings(raw: RawDatabase): readonly string[] {
  const integrity = raw.prepare(`pragma integrity_check(${MAX_FINDINGS})`).pluck().all().map(String);
  const damage = integrity.length === 1 && integrity[0] === "ok" ? [] : integrity;
  const orphans = raw.prepare<unknown[], { table: string }>("pragma foreign_key_check").all();
  return [...damage, ...orphans.map(({ table }) => `a row of ${table} refers to a row that is not there`)];
}

async function extraFindings(raw: RawDatabase, checks: readonly CopyCheck[]): Promise<readonly string[]> {
  const reads = new Statements(raw, readRule);
  const copy = createHandle<unknown>((query) => reads.execute(query.sql, query.parameters));
  const findings: string[] = [];
  for (const check of checks) findings.push(...(await check(copy)));
  return findings;
}
