import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../../kernel/errors.ts";
import { ChatDocument } from "./conversation.ts";

/** What was said belongs to whoever said it. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const SUFFIX = ".json";
/** Characters of a time that make a name: to the second, without signs that file systems mind. */
const TIME_CHARACTERS = 19;

/** The name of a new conversation: when it began, and a little chance for two at once. */
export function newName(now: number): string {
  const time = new Date(now).toISOString().slice(0, TIME_CHARACTERS).replaceAll(":", "");
  return `${time}-${randomBytes(2).toString("hex")}`;
}

/** Conversations in files of a directory, one each, whole or not at all. */
export class ChatStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Name of the conversation that was changed last; undefined: there is none. */
  async latest(): Promise<string | undefined> {
    const names = await readdir(this.#directory).catch(() => []);
    const files = await Promise.all(
      names
        .filter((name) => name.endsWith(SUFFIX))
        .map(async (name) => ({ name, at: (await stat(join(this.#directory, name))).mtimeMs })),
    );
    return files.toSorted((a, b) => b.at - a.at)[0]?.name.slice(0, -SUFFIX.length);
  }

  /** @throws AppError INVALID_ARGUMENT for a name that is none, DATA_UNWRITABLE for a file that holds no conversation */
  async find(name: string): Promise<ChatDocument | undefined> {
    const path = this.#pathOf(name);
    try {
      return ChatDocument.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
      throw new AppError("DATA_UNWRITABLE", `${path} holds no conversation that can be read`, {
        meta: { hint: "move it away, or choose another --session" },
        cause,
      });
    }
  }

  /** @throws AppError DATA_UNWRITABLE */
  async save(name: string, document: ChatDocument): Promise<void> {
    const path = this.#pathOf(name);
    const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
    try {
      await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
      await writeNew(temporary, JSON.stringify(document));
      await rename(temporary, path);
    } catch (cause) {
      await unlink(temporary).catch(() => {});
      throw new AppError("DATA_UNWRITABLE", `cannot keep the conversation in ${path}`, {
        meta: { hint: "choose another --data-dir; the chat itself goes on" },
        cause,
      });
    }
  }

  #pathOf(name: string): string {
    if (/^[\w-][\w.-]{0,63}$/.test(name)) return join(this.#directory, `${name}${SUFFIX}`);
    throw new AppError("INVALID_ARGUMENT", "a session's name is letters, digits, _ . and -, at most 64");
  }
}

/** Writes a file that nobody else can read and that was not there. */
export async function writeNew(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", FILE_MODE);
  await file.writeFile(text);
  await file.sync();
}
