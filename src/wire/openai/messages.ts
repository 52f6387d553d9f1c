import { z } from "zod";
import { MAX_TOOL_CALLS } from "../../domain/job/deltas.ts";
import {
  MAX_CALL_ID,
  MAX_NAME,
  MAX_PARTS,
  MAX_TOOL_DESCRIPTION,
  MAX_TOOL_NAME,
  MAX_TOOLS,
} from "../limits.ts";
import { ignored, maybe, refused } from "./common.ts";

const TextPart = z.strictObject({ type: z.literal("text"), text: z.string() });

const ImagePart = z.strictObject({
  type: z.literal("image_url"),
  image_url: z.strictObject({
    url: z
      .string()
      .regex(
        /^data:/,
        "must be a data: URL: this server fetches no addresses that callers name; send the image itself",
      )
      .meta({ description: "data:image/png;base64,… (png, jpeg, webp, gif)" }),
    detail: ignored(z.enum(["auto", "low", "high"]), "the model decides how closely it looks"),
  }),
});

const KIND = { error: "is a part of a kind that is not supported here" };
const TextContent = z.union([
  z.string(),
  z.array(z.discriminatedUnion("type", [TextPart], KIND)).max(MAX_PARTS),
]);
const UserContent = z.union([
  z.string(),
  z.array(z.discriminatedUnion("type", [TextPart, ImagePart], KIND)).max(MAX_PARTS),
]);

const Name = ignored(z.string().max(MAX_NAME), "models here know roles, not names");

export const OpenAiToolCall = z.strictObject({
  id: z.string().max(MAX_CALL_ID),
  type: z.literal("function", { error: "must be function: other tools are not supported here" }),
  function: z.strictObject({ name: z.string().min(1).max(MAX_TOOL_NAME), arguments: z.string() }),
});

const SystemMessage = z.strictObject({
  role: z.enum(["system", "developer"]).meta({ description: "developer means system" }),
  content: TextContent,
  name: Name,
});
const UserMessage = z.strictObject({
  role: z.literal("user"),
  content: UserContent,
  name: Name,
});
const AssistantMessage = z.strictObject({
  role: z.literal("assistant"),
  content: maybe(TextContent),
  tool_calls: maybe(z.array(OpenAiToolCall).max(MAX_TOOL_CALLS)),
  name: Name,
  refusal: ignored(z.string(), "what was refused is not told again"),
  reasoning_content: ignored(z.string(), "thoughts are not told again"),
  annotations: ignored(z.array(z.unknown()), "answers here have none"),
  audio: refused("send text"),
  function_call: refused("use tool_calls"),
});
const ToolMessage = z.strictObject({
  role: z.literal("tool"),
  content: TextContent,
  tool_call_id: z.string().max(MAX_CALL_ID),
});

export const OpenAiMessage = z.discriminatedUnion(
  "role",
  [SystemMessage, UserMessage, AssistantMessage, ToolMessage],
  { error: "must be a message with the role system, developer, user, assistant or tool" },
);
export type OpenAiMessage = z.infer<typeof OpenAiMessage>;

/** Any JSON object, such as a JSON Schema. */
const JsonObject = z.record(z.string(), z.json());

const OpenAiTool = z.strictObject({
  type: z.literal("function", { error: "must be function: other tools are not supported here" }),
  function: z.strictObject({
    name: z
      .string()
      .regex(/^[\w.:-]+$/, "must be letters, digits, _ . : or -")
      .max(MAX_TOOL_NAME),
    description: maybe(z.string().max(MAX_TOOL_DESCRIPTION)),
    parameters: maybe(JsonObject),
    strict: ignored(z.boolean(), "arguments come as the model wrote them; check them"),
  }),
});

export const Tools = z.array(OpenAiTool).max(MAX_TOOLS);

export const ToolChoice = z.union(
  [
    z.enum(["none", "auto", "required"]),
    z.strictObject({
      type: z.literal("function"),
      function: z.strictObject({ name: z.string().min(1).max(MAX_TOOL_NAME) }),
    }),
  ],
  { error: "must be none, auto, required, or a function to call" },
);

export const ResponseFormat = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("text") }),
    z.strictObject({ type: z.literal("json_object") }),
    z.strictObject({
      type: z.literal("json_schema"),
      json_schema: z.strictObject({
        name: z.string().min(1).max(MAX_NAME),
        description: maybe(z.string().max(MAX_TOOL_DESCRIPTION)),
        schema: maybe(JsonObject),
        strict: ignored(z.boolean(), "the schema always binds"),
      }),
    }),
  ],
  { error: "must be text, json_object or json_schema" },
);
