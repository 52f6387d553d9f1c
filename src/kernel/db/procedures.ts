import type { Transaction } from "kysely";
import { AppError } from "../errors.ts";

/** The body of an operation that gets all it works with as arguments. */
// Any schema and arguments: each body has its own.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type ProcedureBody = (tx: any, ...args: any[]) => Promise<unknown>;

/** Bodies of operations, by name. */
export type ProcedureGroup = Readonly<Record<string, ProcedureBody>>;

/** Data that another thread can be handed: no function, and so no object with methods. Else `never`. */
type Plain<T> = T extends (...args: never) => unknown
  ? never
  : T extends Uint8Array
    ? T
    : T extends object
      ? { readonly [Member in keyof T]: Plain<T[Member]> }
      : T;

type PlainBody<Body extends ProcedureBody> = Body extends (
  tx: never,
  ...args: infer Args
) => Promise<infer Result>
  ? [Args, Result] extends Plain<[Args, Result]>
    ? Body
    : never
  : never;

/**
 * Names the bodies of a role's operations, so that the writer's thread can run them. Their arguments and results
 * are plain data; where they are not, this does not compile.
 */
export function defineProcedures<const Group extends ProcedureGroup>(
  group: Group & { readonly [Name in keyof Group]: PlainBody<Group[Name]> },
): ProcedureGroup {
  return group;
}

/** All bodies that a database runs, in either direction. */
export class Procedures {
  readonly #bodies = new Map<string, ProcedureBody>();
  readonly #names = new Map<ProcedureBody, string>();

  /** Adds the bodies of one role. */
  add(role: string, group: ProcedureGroup): void {
    for (const [name, body] of Object.entries(group)) {
      this.#bodies.set(`${role}/${name}`, body);
      this.#names.set(body, `${role}/${name}`);
    }
  }

  /** @throws AppError STORAGE_MISUSE for a body that nobody has named */
  nameOf(body: ProcedureBody): string {
    const name = this.#names.get(body);
    if (name !== undefined) return name;
    throw new AppError("STORAGE_MISUSE", `the operation ${body.name || "without a name"} is no procedure`);
  }

  /** @throws AppError STORAGE_MISUSE for an unknown name */
  get(name: string): (tx: Transaction<unknown>, ...args: readonly unknown[]) => Promise<unknown> {
    const body = this.#bodies.get(name);
    if (body) return body;
    throw new AppError("STORAGE_MISUSE", `there is no procedure ${name}`);
  }
}
