import { z } from "zod";
import { route } from "./access.ts";
import { MAX_PAGE } from "./limits.ts";
import { Timestamp } from "./scalars.ts";

/** Artifacts of a page that does not say how many. */
const DEFAULT_PAGE = 50;

/** What somebody does whose result is too large to be sent inline. */
export const UPLOAD_HINT =
  'upload it with PUT /v1/artifacts and hand in {"artifact": "sha256:…"} as the result';

const DIGEST = /^(?:sha256:)?([0-9a-f]{64})$/;

/** The hex digits of a reference `sha256:…`, or of bare digits; undefined where the text is neither. */
export function digestOf(reference: string): string | undefined {
  return DIGEST.exec(reference)?.[1];
}

/** Names an artifact by the hex digits of its SHA-256. */
export const toReference = (sha256: string): string => `sha256:${sha256}`;

const Reference = z.string().meta({ description: "The content's name", example: `sha256:${"0".repeat(64)}` });

export const ArtifactView = z.object({
  artifact: Reference,
  size_bytes: z.int(),
  media_type: z.string(),
  expires_at: Timestamp,
});
export type ArtifactView = z.infer<typeof ArtifactView>;

/** A result that is an artifact. */
export const ArtifactResult = ArtifactView.extend({
  expires_at: Timestamp.nullable().meta({ description: "Until when it is kept at least; null: it has gone" }),
}).meta({ description: "The result, or what the miner uploaded as its result; get it from /v1/artifacts" });
export type ArtifactResult = z.infer<typeof ArtifactResult>;

/** A name that no artifact can have is answered like any other unknown one. */
const params = z.object({
  sha256: z.string().max(128).meta({ description: "Hex digits, with or without sha256: in front" }),
});
const access = ["client", "miner", "admin"] as const;
const tag = "Artifacts";

export const putArtifact = route({
  method: "PUT",
  path: "/v1/artifacts",
  access,
  tag,
  summary: "Upload an artifact",
  description:
    "The body is the content; its media type is kept. It is stored under its SHA-256: the same content again is the same artifact, kept longer. What breaks off leaves nothing.",
  headers: z.object({
    "content-type": z.string().max(128).optional(),
    "content-length": z
      .string()
      .regex(/^[0-9]{1,15}$/, "must be a number of bytes")
      .optional(),
    "x-content-sha256": z
      .string()
      .regex(DIGEST, "must be 64 lower-case hex digits")
      .optional()
      .meta({ description: "The digest that the content must have; another one is refused" }),
  }),
  stream: { description: "The content" },
  responses: { 201: { description: "On disk", schema: ArtifactView } },
});
export const postArtifact = route({ ...putArtifact, method: "POST" });

export const ArtifactPage = z.object({
  items: z.array(ArtifactView),
  next_cursor: z.string().nullable(),
  stored_bytes: z.int().meta({ description: "What all of the caller's artifacts count" }),
  quota_bytes: z.int().meta({ description: "What they may count" }),
});
export type ArtifactPage = z.infer<typeof ArtifactPage>;

export const listArtifacts = route({
  method: "GET",
  path: "/v1/artifacts",
  access,
  tag,
  summary: "The caller's artifacts",
  description: "By their names. Those that jobs have as their outputs are not among them.",
  query: z.object({
    limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE),
    cursor: z.string().max(128).optional().meta({ description: "`next_cursor` of the page before" }),
  }),
  responses: { 200: { description: "A page of them", schema: ArtifactPage } },
});

export const getArtifact = route({
  method: "GET",
  path: "/v1/artifacts/:sha256",
  access,
  tag,
  summary: "Download an artifact",
  description:
    "For its owner, the client of a job whose result it is, the miner that runs a job of its owner whose payload names it, and administrators. One range of bytes can be asked for.",
  params,
  headers: z.object({
    range: z.string().max(128).optional(),
    "if-none-match": z.string().max(1024).optional(),
    "if-range": z.string().max(128).optional(),
  }),
  responses: {
    200: { description: "The content", contentType: "application/octet-stream" },
    206: { description: "A range of it", contentType: "application/octet-stream" },
    304: { description: "The caller has it" },
  },
});

export const deleteArtifact = route({
  method: "DELETE",
  path: "/v1/artifacts/:sha256",
  access,
  tag,
  summary: "Give an artifact up",
  description:
    "409 while it is the result of a job, which only an administrator can take away. An administrator deletes it for all owners.",
  params,
  responses: { 200: { description: "What it was", schema: ArtifactView } },
});

export const ARTIFACT_ROUTES = [
  putArtifact,
  postArtifact,
  listArtifacts,
  getArtifact,
  deleteArtifact,
] as const;
