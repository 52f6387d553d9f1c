import { AppError } from "../../../kernel/errors.ts";

/** Shortest password. */
const MIN_PASSWORD_LENGTH = 12;
/** Longest password, in bytes: a bound on what is hashed and sent around. */
const MAX_PASSWORD_BYTES = 1024;

/** A passphrase: this many different words … */
const MIN_WORDS = 5;
/** … with this many letters in all, so that five letters with spaces do not count as one. */
const MIN_WORD_LETTERS = 16;

const CLASSES = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{L}\p{Nd}\s]/u];
const RULE =
  `a password needs at least ${MIN_PASSWORD_LENGTH} characters with upper case, lower case, a digit and a symbol, ` +
  `or at least ${MIN_WORDS} different words`;

/**
 * Checks a new password: twelve characters of all four classes, or a passphrase of five different words.
 * @throws AppError PASSWORD_TOO_WEAK, with `reason` and `min_length`; INVALID_ARGUMENT when it is no UTF-8 or too long
 */
export function checkNewPassword(password: Uint8Array): void {
  const text = decode(password);
  if (isMixed(text) || isPassphrase(text)) return;
  throw new AppError("PASSWORD_TOO_WEAK", RULE, {
    meta: { reason: "password_too_weak", min_length: MIN_PASSWORD_LENGTH },
  });
}

function decode(password: Uint8Array): string {
  if (password.length > MAX_PASSWORD_BYTES) refuse(`a password has at most ${MAX_PASSWORD_BYTES} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(password);
  } catch {
    return refuse("a password must be UTF-8 text");
  }
}

function isMixed(text: string): boolean {
  return [...text].length >= MIN_PASSWORD_LENGTH && CLASSES.every((characters) => characters.test(text));
}

function isPassphrase(text: string): boolean {
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu));
  return words.size >= MIN_WORDS && [...words].join("").length >= MIN_WORD_LETTERS;
}

function refuse(problem: string): never {
  throw new AppError("INVALID_ARGUMENT", problem, { meta: { argument: "password" } });
}
