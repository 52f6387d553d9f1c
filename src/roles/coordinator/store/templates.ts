import { AppError } from "../../../kernel/errors.ts";
import { MAX_TEMPLATES } from "../../../wire/limits.ts";
import type { TemplateTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** Stores a template beside its owner's others. @throws AppError TEMPLATE_EXISTS, LIMIT_EXCEEDED */
export async function addTemplate(tx: Db, template: TemplateTable): Promise<void> {
  if ((await countTemplates(tx, template.owner_id)) >= MAX_TEMPLATES) {
    throw new AppError("LIMIT_EXCEEDED", `${MAX_TEMPLATES} templates are kept already; delete one first`);
  }
  if (!(await insertTemplate(tx, template))) {
    throw new AppError("TEMPLATE_EXISTS", `there is a template ${template.name}; delete it first`);
  }
}

/** Stores a template; whether its name was free. */
async function insertTemplate(tx: Db, template: TemplateTable): Promise<boolean> {
  const result = await tx
    .insertInto("coordinator_template")
    .values(template)
    .onConflict((conflict) => conflict.columns(["owner_id", "name"]).doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

export function findTemplate(db: Db, ownerId: string, name: string): Promise<TemplateTable | undefined> {
  return db
    .selectFrom("coordinator_template")
    .selectAll()
    .where("owner_id", "=", ownerId)
    .where("name", "=", name)
    .executeTakeFirst();
}

/** An owner's templates by name. There are never many: their number is limited when they are stored. */
export function listTemplates(db: Db, ownerId: string): Promise<TemplateTable[]> {
  return db
    .selectFrom("coordinator_template")
    .selectAll()
    .where("owner_id", "=", ownerId)
    .orderBy("name")
    .execute();
}

async function countTemplates(tx: Db, ownerId: string): Promise<number> {
  const row = await tx
    .selectFrom("coordinator_template")
    .select((e) => e.fn.countAll<number>().as("count"))
    .where("owner_id", "=", ownerId)
    .executeTakeFirstOrThrow();
  return row.count;
}

export async function deleteTemplate(tx: Db, ownerId: string, name: string): Promise<void> {
  await tx
    .deleteFrom("coordinator_template")
    .where("owner_id", "=", ownerId)
    .where("name", "=", name)
    .execute();
}
