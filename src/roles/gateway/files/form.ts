import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { AppError } from "../../../kernel/errors.ts";
import { MAX_FILE_BYTES, MAX_FILE_NAME } from "../../../wire/openai/files.ts";

/** Members of a form beside its file, their longest name and value in bytes, and the headers of one part. */
const MAX_FIELDS = 8;
const MAX_FIELD_BYTES = 1024;
const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 8 * 1024;
/** Bytes of a form around its file at most: what a caller announces beyond that is refused before it comes. */
const MAX_OVERHEAD_BYTES = 64 * 1024;

const FORM = /^multipart\/form-data\b/i;

/** A form whose file is being read. Its other members are known when the file has ended. */
export interface UploadedForm {
  readonly filename: string;
  /**
   * The bytes of the file, read as they are taken. It ends after the whole form has, and what `check` throws of
   * its members breaks it off: whoever stores the bytes keeps nothing of a form that is refused.
   */
  bytes(check: (fields: ReadonlyMap<string, string>) => void): ReadableStream<Uint8Array>;
  /** Why it broke off. */
  readonly failure: unknown;
}

/** @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE by what is announced */
export function checkFormHeaders(contentType: string | undefined, contentLength: string | undefined): string {
  if (contentType === undefined || !FORM.test(contentType)) {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "send a form: Content-Type: multipart/form-data", {
      meta: { member: "content-type" },
    });
  }
  if (Number(contentLength ?? 0) > MAX_FILE_BYTES + MAX_OVERHEAD_BYTES) throw tooLarge();
  return contentType;
}

/**
 * Reads a form up to the beginning of its file.
 * @throws AppError INVALID_ARGUMENT for what is no form, INVALID_PAYLOAD for one without a file
 */
export async function openForm(contentType: string, body: ReadableStream<Uint8Array>): Promise<UploadedForm> {
  // Node's type of the same stream.
  const source = Readable.fromWeb(body as NodeStream);
  const parser = createParser(contentType);
  const form = new FormReader(source, parser);
  source.on("error", (cause: unknown) =>
    form.fail(new AppError("INVALID_ARGUMENT", "the upload broke off", { cause })),
  );
  source.pipe(parser);
  await form.begun;
  return form;
}

function createParser(contentType: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      limits: {
        files: 1,
        fields: MAX_FIELDS,
        fieldNameSize: MAX_FIELD_BYTES,
        fieldSize: MAX_FIELD_BYTES,
        fileSize: MAX_FILE_BYTES,
        headerPairs: MAX_HEADERS,
        headerSize: MAX_HEADER_BYTES,
      },
      // A member called file is one, whatever its sender says of it.
      isPartAFile: (name, _type, filename) => name === "file" || filename !== undefined,
    });
  } catch (cause) {
    throw new AppError(
      "INVALID_ARGUMENT",
      "the Content-Type names no boundary between the parts of the form",
      {
        cause,
      },
    );
  }
}

class FormReader implements UploadedForm {
  readonly #fields = new Map<string, string>();
  readonly #source: Readable;
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #file: BusboyFileStream | undefined;
  #failure: unknown;
  filename = "";

  constructor(source: Readable, parser: BusboyInstance) {
    this.#source = source;
    // Whoever waits hears of a failure; where nobody does yet it is no loose end.
    this.#begun.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
    parser.on("field", (name, value, isNameCut, isValueCut) => {
      if (isNameCut || isValueCut) {
        this.fail(invalid(name, `is longer than ${MAX_FIELD_BYTES} bytes`));
      } else if (this.#fields.has(name)) this.fail(invalid(name, "stands there twice"));
      else this.#fields.set(name, value);
    });
    parser.on("file", (name, stream, filename) => {
      stream.on("error", (error: unknown) => this.fail(malformed(error)));
      if (name !== "file") {
        stream.resume();
        this.fail(invalid(name, "is no member of this form; the file's is called file"));
        return;
      }
      this.filename = filename ?? "";
      this.#file = stream;
      this.#begun.resolve();
    });
    parser.on("filesLimit", () => this.fail(invalid("file", "stands there twice; upload one at a time")));
    parser.on("fieldsLimit", () =>
      this.fail(new AppError("INVALID_PAYLOAD", `the form has more than ${MAX_FIELDS} members`)),
    );
    parser.on("error", (error) => this.fail(malformed(error)));
    parser.on("finish", () => {
      this.#ended.resolve();
      if (!this.#file) this.fail(missing("file"));
    });
  }

  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** The first failure counts: others follow from it. */
  fail(error: AppError): void {
    this.#failure ??= error;
    this.#begun.reject(error);
    this.#ended.reject(error);
    this.#file?.destroy(error);
    this.#source.unpipe();
    // What is still under way is read and forgotten, so that its sender hears why.
    this.#source.resume();
  }

  bytes(check: (fields: ReadonlyMap<string, string>) => void): ReadableStream<Uint8Array> {
    const parts = this.#read(check);
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await parts.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => {
          this.#source.destroy();
          await parts.return();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async *#read(check: (fields: ReadonlyMap<string, string>) => void): AsyncGenerator<Uint8Array, void, void> {
    try {
      if (this.filename.length > MAX_FILE_NAME) {
        throw invalid("file", `has a name of more than ${MAX_FILE_NAME} characters`);
      }
      for await (const part of this.#file ?? []) yield part as Uint8Array;
      if (this.#file?.truncated) throw tooLarge();
      await this.#ended.promise;
      check(this.#fields);
    } catch (error) {
      this.#failure ??= error;
      throw this.#failure;
    }
  }
}

function tooLarge(): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `a file has at most ${MAX_FILE_BYTES} bytes here; split it`);
}

function malformed(cause: unknown): AppError {
  return new AppError("INVALID_ARGUMENT", "the body is no whole form, or does not have the boundary named", {
    cause,
  });
}

/** A member of a form that cannot be taken. */
export function invalid(name: string, what: string): AppError {
  const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return new AppError("INVALID_PAYLOAD", `${pointer}: ${what}`, {
    meta: { pointer, fault: "invalid", what },
  });
}

/** A member of a form that is not there. */
export function missing(name: string): AppError {
  return new AppError("INVALID_PAYLOAD", `/${name}: is missing`, {
    meta: { pointer: `/${name}`, fault: "missing", what: "is missing" },
  });
}
