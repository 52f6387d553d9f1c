/** Bytes of a submission's body. */
const BODY_BYTES = 300;

export const MODEL = "bench-model";

const bodyOf = (prompt: string): string =>
  JSON.stringify({ payload: { type: "inference", model: MODEL, prompt }, priority: 1 });

/** The body that every measured submission has: 300 bytes of JSON. */
export const BODY: string = bodyOf("x".repeat(BODY_BYTES - bodyOf("").length));

/** A submission as it comes out of the JSON parser: not yet checked. */
export const SUBMISSION: unknown = JSON.parse(BODY);
