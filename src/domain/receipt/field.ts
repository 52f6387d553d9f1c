/**
 * Descriptions of members. The checks at run time, the TypeScript types and the JSON Schema of receipts all
 * come from the same description, so they cannot drift apart.
 */
interface About {
  /** One sentence for the JSON Schema. */
  readonly about: string;
  readonly optional?: true;
}

export interface TextField extends About {
  readonly kind: "text";
  /** The whole text must match. */
  readonly regex: RegExp;
}
export interface IntegerField extends About {
  readonly kind: "integer";
  readonly min: number;
}
/** Any finite number, fractions included: legacy receipts only. */
export interface NumberField extends About {
  readonly kind: "number";
}
export interface ConstantField<Value extends string = string> extends About {
  readonly kind: "constant";
  readonly values: readonly Value[];
}
/** An object; members that are not described are allowed, because the canonical bytes cover them too. */
export interface ObjectField<Members extends Fields = Fields> extends About {
  readonly kind: "object";
  readonly members: Members;
  readonly names: readonly string[];
}
export interface ListField<Item extends Field = Field> extends About {
  readonly kind: "list";
  readonly item: Item;
  readonly max: number;
}

export type Field = TextField | IntegerField | NumberField | ConstantField | ObjectField | ListField;
export interface Fields {
  readonly [name: string]: Field;
}

/** The TypeScript type of what a field describes. */
export type TypeOf<F> = F extends { readonly kind: "text" }
  ? string
  : F extends { readonly kind: "integer" | "number" }
    ? number
    : F extends { readonly kind: "constant"; readonly values: readonly (infer Value)[] }
      ? Value
      : F extends { readonly kind: "object"; readonly members: infer Members }
        ? MembersOf<Members>
        : F extends { readonly kind: "list"; readonly item: infer Item }
          ? readonly TypeOf<Item>[]
          : never;

type MembersOf<M> = {
  readonly [Name in keyof M as M[Name] extends { readonly optional: true } ? never : Name]: TypeOf<M[Name]>;
} & {
  readonly [Name in keyof M as M[Name] extends { readonly optional: true } ? Name : never]?: TypeOf<M[Name]>;
};

export const text = (regex: RegExp, about: string) => ({ kind: "text", regex, about }) as const;
export const integer = (about: string, min = 0) => ({ kind: "integer", min, about }) as const;
export const number = (about: string) => ({ kind: "number", about }) as const;
export const constant = <const Values extends readonly string[]>(values: Values, about: string) =>
  ({ kind: "constant", values, about }) as const;
export const object = <const Members extends Fields>(members: Members, about: string) =>
  ({ kind: "object", members, names: Object.keys(members), about }) as const;
export const list = <const Item extends Field>(item: Item, max: number, about: string) =>
  ({ kind: "list", item, max, about }) as const;
export const optional = <const F extends Field>(field: F) => ({ ...field, optional: true }) as const;
