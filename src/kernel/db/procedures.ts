import { AppError } from "../errors.ts";

/** The body of an operation that gets all it works with as arguments. */
// Any schema and arguments: each body has its own.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type ProcedureBody = (tx: any, ...args: any[]) => Promise<unknown>;

/**
 * Does what a body does for each of the calls, in their order, with fewer statements; resolves to the results in the same
 * order. It never decides that one call fails: it fails as a whole, and each call runs alone then.
 */
// Any schema and arguments: as its body.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type BulkBody = (tx: any, calls: readonly any[]) => Promise<readonly unknown[]>;

/** A body, and the form in which calls of it that wait together run. */
export interface BulkProcedure {
  readonly body: ProcedureBody;
  readonly inBulk: BulkBody;
}

/** Bodies of operations, by name. */
export type ProcedureGroup = Readonly<Record<string, ProcedureBody | BulkProcedure>>;

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

type PlainProcedure<Procedure> = Procedure extends ProcedureBody
  ? PlainBody<Procedure>
  : Procedure extends { readonly body: infer Body extends ProcedureBody }
    ? [PlainBody<Body>] extends [never]
      ? never
      : Procedure
    : never;

/**
 * Names the bodies of a role's operations, so that the writer's thread can run them. Their arguments and results
 * are plain data; where they are not, this does not compile.
 */
export function defineProcedures<const Group extends ProcedureGroup>(
  group: Group & { readonly [Name in keyof Group]: PlainProcedure<Group[Name]> },
): ProcedureGroup {
  return group;
}

/** A procedure whose calls run together where several wait. */
export function bulk<Handle, Args extends readonly unknown[], T>(
  body: (tx: Handle, ...args: Args) => Promise<T>,
  inBulk: (tx: Handle, calls: readonly Args[]) => Promise<readonly T[]>,
) {
  return { body, inBulk };
}

/** All bodies that a database runs, in either direction. */
export class Procedures {
  readonly #bodies = new Map<string, ProcedureBody>();
  readonly #names = new Map<ProcedureBody, string>();
  readonly #inBulk = new Map<ProcedureBody, BulkBody>();

  /** Adds the bodies of one role. */
  add(role: string, group: ProcedureGroup): void {
    for (const [name, procedure] of Object.entries(group)) {
      const body = typeof procedure === "function" ? procedure : procedure.body;
      this.#bodies.set(`${role}/${name}`, body);
      this.#names.set(body, `${role}/${name}`);
      if (typeof procedure !== "function") this.#inBulk.set(body, procedure.inBulk);
    }
  }

  /** @throws AppError STORAGE_MISUSE for a body that nobody has named */
  nameOf(body: ProcedureBody): string {
    const name = this.#names.get(body);
    if (name !== undefined) return name;
    throw new AppError("STORAGE_MISUSE", `the operation ${body.name || "without a name"} is no procedure`);
  }

  /** @throws AppError STORAGE_MISUSE for an unknown name */
  get(name: string): ProcedureBody {
    const body = this.#bodies.get(name);
    if (body) return body;
    throw new AppError("STORAGE_MISUSE", `there is no procedure ${name}`);
  }

  /** How calls of a body run together; undefined where they do not. */
  bulkOf(body: ProcedureBody): BulkBody | undefined {
    return this.#inBulk.get(body);
  }
}
