import { join } from "node:path";
import type { Kysely } from "kysely";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RunOperation } from "../../kernel/db/database.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Authorize } from "../../kernel/http/router.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import { readOrCreateSecret } from "../../kernel/secret-file.ts";
import { type Access, KEY_KINDS, type KeyKind, type Principal } from "../../wire/access.ts";
import type { BusEvents } from "../../wire/events.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { CreatedKey, KeyView } from "../../wire/system.ts";
import { createApiKey, type ParsedKey, parseApiKey, sameDigest } from "./api-key.ts";
import { insertKey, listKeys, revokeKey } from "./store.ts";
import type { AccessTables, KeyTable } from "./tables.ts";

/** The store as API keys use it. */
export interface AccessStore {
  readonly db: Kysely<AccessTables>;
  readonly operation: RunOperation<Kysely<AccessTables>>;
}

/** Most keys of one deployment: all of them are kept in memory, so that no request waits for the database. */
const MAX_KEYS = 100_000;
/** The caller of a public route. */
const ANONYMOUS: Principal = { key_id: "anonymous", kind: "client", owner_id: "anonymous" };
/** What existing clients expect to read when their key is wrong. */
const INVALID_KEY = "invalid api key";

function toView(row: KeyTable): KeyView {
  return {
    key_id: row.key_id,
    kind: row.kind,
    name: row.name,
    owner_id: row.owner_id,
    created_at: formatTime(row.created_at),
    revoked_at: row.revoked_at === null ? null : formatTime(row.revoked_at),
  };
}

/** API keys: who may call. */
export class AccessService {
  readonly #store: AccessStore;
  readonly #bus: Bus<BusEvents>;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #keys = new Map<string, KeyTable>();

  constructor(deps: { store: AccessStore; bus: Bus<BusEvents>; clock: Clock; random: RandomBytes }) {
    this.#store = deps.store;
    this.#bus = deps.bus;
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /**
   * Reads all keys, and gives this machine its own three: the files `<kind>.key` in `directory` are written at
   * the first start, so that the command line works without set-up.
   */
  async open(directory: string): Promise<void> {
    for (const row of await listKeys(this.#store.db)) this.#keys.set(row.key_id, row);
    for (const kind of KEY_KINDS) {
      const path = join(directory, `${kind}.key`);
      const key = await readOrCreateSecret(path, () => createApiKey(kind, this.#random));
      const parsed = parseApiKey(key);
      if (parsed?.kind !== kind) {
        throw new AppError(
          "DATA_UNWRITABLE",
          `${path} holds no ${kind} key; remove the file to get a new one`,
        );
      }
      if (!this.#keys.has(parsed.keyId)) await this.#insert(parsed, "this machine");
    }
  }

  /** Authorises a request for a route's access. */
  readonly authorize: Authorize<Access, Principal> = ({ req }, access) => {
    if (access === "public") return ANONYMOUS;
    const bearer = req.header("authorization");
    const key = req.header("x-api-key") ?? (bearer?.startsWith("Bearer ") ? bearer.slice(7) : undefined);
    const row = key === undefined ? undefined : this.#find(key);
    if (!row) throw new AppError("UNAUTHORIZED_KEY", INVALID_KEY);
    if (!access.includes(row.kind)) {
      const needed = access.join(" or ");
      throw new AppError("FORBIDDEN_KEY", `this needs a key of kind ${needed}; yours is a ${row.kind} key`);
    }
    return row;
  };

  list(): KeyView[] {
    return [...this.#keys.values()].map(toView);
  }

  /** Creates a key; its text is in the answer and nowhere else. */
  async create(kind: KeyKind, name: string): Promise<CreatedKey> {
    if (this.#keys.size >= MAX_KEYS) {
      throw new AppError("LIMIT_EXCEEDED", `there are ${MAX_KEYS} keys already; revoked ones count`);
    }
    const key = createApiKey(kind, this.#random);
    const parsed = parseApiKey(key);
    if (!parsed) throw new AppError("INTERNAL", "a new key does not parse");
    return { ...toView(await this.#insert(parsed, name)), key };
  }

  /** Revokes a key at once. @throws AppError KEY_NOT_FOUND, CONFLICT_STATE for the last admin key */
  async revoke(keyId: string): Promise<KeyView> {
    const row = this.#keys.get(keyId);
    if (!row) throw new AppError("KEY_NOT_FOUND", "there is no key with this id; see: aitbc keys list");
    if (row.revoked_at !== null) return toView(row);
    const admins = [...this.#keys.values()].filter((key) => key.kind === "admin" && key.revoked_at === null);
    if (row.kind === "admin" && admins.length === 1) {
      throw new AppError("CONFLICT_STATE", "this is the last admin key; create another one first");
    }
    const revoked = { ...row, revoked_at: this.#clock.now() };
    await this.#store.operation(revokeKey, keyId, revoked.revoked_at);
    this.#keys.set(keyId, revoked);
    this.#bus.emit("key.revoked", { key_id: keyId });
    return toView(revoked);
  }

  #find(key: string): KeyTable | undefined {
    const parsed = parseApiKey(key);
    const row = parsed && this.#keys.get(parsed.keyId);
    return row && row.revoked_at === null && sameDigest(row.digest, parsed.digest) ? row : undefined;
  }

  async #insert({ kind, keyId, digest }: ParsedKey, name: string): Promise<KeyTable> {
    const row: KeyTable = {
      key_id: keyId,
      kind,
      name,
      owner_id: `${kind}-${keyId}`,
      digest,
      created_at: this.#clock.now(),
      revoked_at: null,
    };
    await this.#store.operation(insertKey, row);
    this.#keys.set(keyId, row);
    return row;
  }
}
