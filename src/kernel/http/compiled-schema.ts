import { z } from "zod";

/** Uses after which a schema is compiled: that takes some 10 ms, and pays where thousands of values come. */
const COMPILE_AFTER = 500;

interface Use {
  count: number;
  compiled: z.ZodType | undefined;
}

const uses = new WeakMap<z.ZodType, Use>();

/**
 * The schema itself, or once it is in use often its compiled form, which takes a quarter of the time. Both give
 * the same values and the same issues. A schema that contains itself cannot be compiled and stays as it is.
 */
export function compiledInUse<T>(schema: z.ZodType<T>): z.ZodType<T> {
  const use = uses.get(schema) ?? { count: 0, compiled: undefined };
  if (use.count === 0) uses.set(schema, use);
  if (use.count < COMPILE_AFTER) use.count++;
  else use.compiled ??= z.compile(schema);
  // The compiled form of a schema has its type.
  return (use.compiled as z.ZodType<T> | undefined) ?? schema;
}
