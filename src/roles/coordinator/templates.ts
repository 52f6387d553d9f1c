import { fillTemplate, templateVariables } from "../../domain/job/template.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import { toJsonPointer } from "../../kernel/json.ts";
import { textsOf, withTexts } from "../../wire/job-texts.ts";
import { JobSubmission } from "../../wire/jobs.ts";
import { MAX_BODY_BYTES } from "../../wire/limits.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { TemplateView } from "../../wire/templates.ts";
import type { Store } from "./ports.ts";
import { addTemplate, deleteTemplate, findTemplate, listTemplates } from "./store/templates.ts";
import type { TemplateTable } from "./tables.ts";

/** The column was written from a checked submission; a later version may still ask for more. */
function parseSubmission(value: unknown): JobSubmission {
  const parsed = JobSubmission.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const pointer = toJsonPointer((issue?.path ?? []).map(String));
  throw new AppError("INVALID_PAYLOAD", `the filled template: ${pointer}: ${issue?.message}`);
}

function toView(row: TemplateTable): TemplateView {
  const submission = JSON.parse(row.submission) as JobSubmission;
  return {
    name: row.name,
    created_at: formatTime(row.created_at),
    variables: templateVariables(textsOf(submission.payload)),
    submission: { ...submission },
  };
}

/** Submissions that clients keep under a name. Each belongs to its owner and does not exist for others. */
export class Templates {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor({ store, clock }: { store: Store; clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @throws AppError TEMPLATE_EXISTS, LIMIT_EXCEEDED */
  async create(ownerId: string, name: string, submission: JobSubmission): Promise<TemplateView> {
    const row = {
      owner_id: ownerId,
      name,
      created_at: this.#clock.now(),
      submission: JSON.stringify(submission),
    };
    await this.#store.operation(addTemplate, row);
    return toView(row);
  }

  async list(ownerId: string): Promise<TemplateView[]> {
    return (await listTemplates(this.#store.db, ownerId)).map(toView);
  }

  /** @throws AppError TEMPLATE_NOT_FOUND */
  async get(ownerId: string, name: string): Promise<TemplateView> {
    return toView(await this.#find(ownerId, name));
  }

  /** @throws AppError TEMPLATE_NOT_FOUND */
  async delete(ownerId: string, name: string): Promise<TemplateView> {
    const row = await this.#find(ownerId, name);
    await this.#store.operation(deleteTemplate, ownerId, name);
    return toView(row);
  }

  /** The submission with its variables filled in. @throws AppError TEMPLATE_NOT_FOUND, INVALID_PAYLOAD */
  async fill(
    ownerId: string,
    name: string,
    variables: Readonly<Record<string, string>>,
  ): Promise<JobSubmission> {
    const row = await this.#find(ownerId, name);
    const submission = JSON.parse(row.submission) as JobSubmission;
    const texts = fillTemplate(textsOf(submission.payload), variables, MAX_BODY_BYTES);
    return parseSubmission({ ...submission, payload: withTexts(submission.payload, texts) });
  }

  async #find(ownerId: string, name: string): Promise<TemplateTable> {
    const row = await findTemplate(this.#store.db, ownerId, name);
    if (!row) throw new AppError("TEMPLATE_NOT_FOUND", "there is no template with this name");
    return row;
  }
}
