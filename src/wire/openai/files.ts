import { z } from "zod";
import { route } from "../access.ts";
import { OPENAI_ERRORS } from "./errors.ts";

/** Largest file, in bytes: OpenAI's own limit, and a batch of 50,000 lines of 10 KiB each. */
export const MAX_FILE_BYTES = 512 * 1024 * 1024;
/** Longest name of a file, in characters: what file systems allow. */
export const MAX_FILE_NAME = 255;
/** Longest text that is looked up as an id of a file or a batch. */
const MAX_ID = 64;
/** Files of a page: default and most. OpenAI's default is its most, 10,000, which is no page any more. */
const DEFAULT_FILE_PAGE = 1_000;
const MAX_FILE_PAGE = 1_000;

/** What a file may be uploaded for. `user_data` is only kept. */
export const UPLOAD_PURPOSES = ["batch", "user_data"] as const;
export const FILE_PURPOSES = [...UPLOAD_PURPOSES, "batch_output"] as const;
export type FilePurpose = (typeof FILE_PURPOSES)[number];

export const OpenAiFile = z
  .object({
    id: z.string(),
    object: z.literal("file"),
    bytes: z.int(),
    created_at: z.int().meta({ description: "Unix s" }),
    expires_at: z.int().meta({ description: "Until when it is kept at least, Unix s" }),
    filename: z.string(),
    purpose: z.enum(FILE_PURPOSES),
    status: z.literal("processed"),
    aitbc: z
      .object({ artifact: z.string() })
      .meta({ description: "What OpenAI's API has no place for: the content's name under /v1/artifacts" }),
  })
  .meta({ id: "OpenAiFile" });
export type OpenAiFile = z.infer<typeof OpenAiFile>;

/** A page as OpenAI's lists have it. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    object: z.literal("list"),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });

export const FilePage = pageOf(OpenAiFile);
export type FilePage = z.infer<typeof FilePage>;

/** Its owner's, or an administrator's. */
const access = ["client", "admin"] as const;
const tag = "OpenAI";

const params = z.object({ file_id: z.string().max(MAX_ID) });

export const uploadFile = route({
  method: "POST",
  path: "/v1/files",
  access: ["client"],
  tag,
  summary: "Upload a file",
  description:
    "A form with the members `purpose` and `file`, at most 512 MiB. It is written to disk as it arrives, and counts against the quota of artifacts, which it is kept as long as.",
  headers: z.object({
    "content-type": z.string().max(1024).optional(),
    "content-length": z
      .string()
      .regex(/^[0-9]{1,15}$/, "must be a number of bytes")
      .optional(),
  }),
  stream: {
    contentType: "multipart/form-data",
    description: "The form: `purpose` (batch or user_data) and `file`",
  },
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "On disk", schema: OpenAiFile } },
});

export const listFiles = route({
  method: "GET",
  path: "/v1/files",
  access,
  tag,
  summary: "Files, newest first",
  description: "A client's own, an administrator's all.",
  query: z.object({
    limit: z.coerce.number().int().min(1).max(MAX_FILE_PAGE).default(DEFAULT_FILE_PAGE),
    after: z.string().max(MAX_ID).optional().meta({ description: "The last id of the page before" }),
    order: z.enum(["asc", "desc"]).default("desc"),
    purpose: z.enum(FILE_PURPOSES).optional(),
  }),
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "A page of them", schema: FilePage } },
});

export const getFile = route({
  method: "GET",
  path: "/v1/files/:file_id",
  access,
  tag,
  summary: "What is known of a file",
  params,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The file", schema: OpenAiFile } },
});

export const getFileContent = route({
  method: "GET",
  path: "/v1/files/:file_id/content",
  access,
  tag,
  summary: "Download a file",
  description: "Parts of it are to be had from /v1/artifacts, under the name that the file tells.",
  params,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "Its bytes", contentType: "application/octet-stream" } },
});

const FileDeleted = z.object({ id: z.string(), object: z.literal("file"), deleted: z.literal(true) });

export const deleteFile = route({
  method: "DELETE",
  path: "/v1/files/:file_id",
  access,
  tag,
  summary: "Delete a file",
  description: "409 while a batch works on it. The content goes with the last file that has it.",
  params,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "It is gone", schema: FileDeleted } },
});

export const FILE_ROUTES = [uploadFile, listFiles, getFile, getFileContent, deleteFile] as const;
