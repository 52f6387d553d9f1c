import { z } from "zod";
import { route } from "./access.ts";
import { JobSubmission, JobView } from "./jobs.ts";
import { MAX_BODY_BYTES, MAX_IDEMPOTENCY_KEY, MAX_TEMPLATES } from "./limits.ts";
import { Timestamp } from "./scalars.ts";

const TemplateName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be up to 64 letters, digits, dots, dashes, underscores")
  .meta({ description: "Name of a template", example: "summary" });

const VariableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "must be a variable's name");

export const TemplateView = z.object({
  name: z.string(),
  created_at: Timestamp,
  variables: z.array(z.string()).meta({ description: "What a submission must give a value to" }),
  submission: z.record(z.string(), z.unknown()),
});
export type TemplateView = z.infer<typeof TemplateView>;

/** A name that no template can have is answered like any other unknown one. */
const params = z.object({ name: z.string().max(128) });
const access = ["client"] as const;
const tag = "Templates";

export const createTemplate = route({
  method: "POST",
  path: "/v1/jobs/templates",
  access,
  tag,
  summary: "Keep a submission under a name",
  description: `\`{{variable}}\` in the prompt and in the texts of messages is filled in when the template is submitted. One owner keeps up to ${MAX_TEMPLATES} templates.`,
  body: z.strictObject({ name: TemplateName, submission: JobSubmission }),
  responses: { 201: { description: "The template", schema: TemplateView } },
});

export const listTemplates = route({
  method: "GET",
  path: "/v1/jobs/templates",
  access,
  tag,
  summary: "The caller's templates, by name",
  responses: { 200: { description: "All of them", schema: z.object({ items: z.array(TemplateView) }) } },
});

export const getTemplate = route({
  method: "GET",
  path: "/v1/jobs/templates/:name",
  access,
  tag,
  summary: "One template",
  params,
  responses: { 200: { description: "The template", schema: TemplateView } },
});

export const deleteTemplate = route({
  method: "DELETE",
  path: "/v1/jobs/templates/:name",
  access,
  tag,
  summary: "Forget a template",
  params,
  responses: { 200: { description: "What it was", schema: TemplateView } },
});

export const submitTemplate = route({
  method: "POST",
  path: "/v1/jobs/templates/:name/submit",
  access,
  tag,
  summary: "Submit a job from a template",
  params,
  headers: z.object({ "idempotency-key": z.string().min(1).max(MAX_IDEMPOTENCY_KEY).optional() }),
  body: z.strictObject({ variables: z.record(VariableName, z.string().max(MAX_BODY_BYTES)) }),
  responses: { 201: { description: "The job, queued", schema: JobView } },
});

export const TEMPLATE_ROUTES = [
  createTemplate,
  listTemplates,
  getTemplate,
  deleteTemplate,
  submitTemplate,
] as const;
