/** Reads JSON text (RFC 8259) strictly; `json.ts` says what is refused and offers it to the program. */
import { AppError, type ErrorCode } from "./errors.ts";
import { JsonNumber, toJsonPointer } from "./json-value.ts";

/** Whole numbers of at most so many digits are exact in a double, digit by digit. */
const MAX_EXACT_DIGITS = 15;

type Node = null | boolean | number | JsonNumber | string | Node[] | { [name: string]: Node };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;
const FIRST_SURROGATE = 0xd800;

/** What follows a backslash, by character (RFC 8259 §7); `u` is read apart. */
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE;

/**
 * Recursive descent over UTF-16 units. It is on the path of every request: `charCodeAt` past the end is NaN,
 * which no comparison matches, so the end of the text needs no check of its own.
 */
export class JsonReader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #lexemes: boolean;
  #at = 0;
  #depth = 0;
  /** The member being read, at each depth; what lies beyond `#depth` is stale. */
  readonly #path: (string | number)[] = [];

  constructor(text: string, maxDepth: number, lexemes: boolean) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#lexemes = lexemes;
  }

  readDocument(): Node {
    const value = this.#readValue(this.#skipSpace());
    if (!Number.isNaN(this.#skipSpace())) this.#fail("MALFORMED_JSON", "text after the end of the value");
    return value;
  }

  #readValue(code: number): Node {
    if (code === QUOTE) return this.#readString();
    if (code === OPEN_OBJECT) return this.#readObject();
    if (code === OPEN_ARRAY) return this.#readArray();
    if (isDigit(code) || code === MINUS) return this.#readNumber(code);
    if (this.#take("true")) return true;
    if (this.#take("false")) return false;
    if (this.#take("null")) return null;
    return this.#fail("MALFORMED_JSON", "expected a value");
  }

  #readObject(): Node {
    const object: { [name: string]: Node } = {};
    this.#enter();
    this.#at++;
    let code = this.#skipSpace();
    if (code !== CLOSE_OBJECT) {
      for (;;) {
        const start = this.#at;
        // Until the member has a name, an error points to the object.
        this.#depth--;
        if (code !== QUOTE) this.#fail("MALFORMED_JSON", "expected a member name");
        const name = this.#readString();
        this.#path[this.#depth++] = name;
        if (name === "__proto__") this.#fail("INVALID_PAYLOAD", "a member __proto__ is refused", start);
        if (Object.hasOwn(object, name)) this.#fail("INVALID_PAYLOAD", "duplicate member", start);
        if (this.#skipSpace() !== COLON) this.#fail("MALFORMED_JSON", "expected a colon");
        this.#at++;
        object[name] = this.#readValue(this.#skipSpace());
        code = this.#skipSpace();
        if (code === CLOSE_OBJECT) break;
        if (code !== COMMA) this.#fail("MALFORMED_JSON", "expected a comma or the end of the object");
        this.#at++;
        code = this.#skipSpace();
      }
    }
    this.#at++;
    this.#depth--;
    return object;
  }

  #readArray(): Node {
    const array: Node[] = [];
    this.#enter();
    this.#at++;
    let code = this.#skipSpace();
    if (code !== CLOSE_ARRAY) {
      for (;;) {
        this.#path[this.#depth - 1] = array.length;
        array.push(this.#readValue(code));
        code = this.#skipSpace();
        if (code === CLOSE_ARRAY) break;
        if (code !== COMMA) this.#fail("MALFORMED_JSON", "expected a comma or the end of the array");
        this.#at++;
        code = this.#skipSpace();
      }
    }
    this.#at++;
    this.#depth--;
    return array;
  }

  #enter(): void {
    if (this.#depth >= this.#maxDepth) {
      this.#fail("INVALID_PAYLOAD", `nested deeper than ${this.#maxDepth} levels`);
    }
    this.#depth++;
  }

  /** Reads a string whose opening quote is the next unit. */
  #readString(): string {
    const text = this.#text;
    let at = ++this.#at;
    let start = at;
    let read = "";
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        read += text.slice(start, at);
        this.#at = at;
        read += this.#readEscape();
        at = this.#at;
        start = at;
      } else if (code >= SPACE && code < FIRST_SURROGATE) {
        at++;
      } else {
        this.#at = at;
        at += this.#checkUnit(code);
      }
    }
    this.#at = at + 1;
    return start === at ? read : read + text.slice(start, at);
  }

  /** Length in units of the character at `#at`, which is a control character, beyond U+D7FF, or the end. */
  #checkUnit(code: number): number {
    if (Number.isNaN(code)) return this.#fail("MALFORMED_JSON", "the string does not end");
    if (code < SPACE) return this.#fail("MALFORMED_JSON", "control character in a string");
    if (code > 0xdfff) return 1;
    if (code < 0xdc00 && isLowSurrogate(this.#text.charCodeAt(this.#at + 1))) return 2;
    return this.#fail("INVALID_PAYLOAD", "lone surrogate in a string");
  }

  /** Reads an escape whose backslash is the next unit. */
  #readEscape(): string {
    const letter = this.#text.charAt(this.#at + 1);
    if (letter !== "u") {
      const plain = ESCAPES[letter];
      if (plain === undefined) return this.#fail("MALFORMED_JSON", "unknown escape in a string");
      this.#at += 2;
      return plain;
    }
    const start = this.#at;
    const high = this.#readHex();
    if (high < FIRST_SURROGATE || high > 0xdfff) return String.fromCharCode(high);
    const paired = high < 0xdc00 && this.#text.startsWith("\\u", this.#at);
    const low = paired ? this.#readHex() : Number.NaN;
    if (!isLowSurrogate(low)) return this.#fail("INVALID_PAYLOAD", "lone surrogate in a string", start);
    return String.fromCharCode(high, low);
  }

  /** Reads `\uXXXX`. */
  #readHex(): number {
    const digits = this.#text.slice(this.#at + 2, this.#at + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail("MALFORMED_JSON", "\\u needs four hex digits");
    this.#at += 6;
    return Number.parseInt(digits, 16);
  }

  #readNumber(first: number): number | JsonNumber {
    const text = this.#text;
    const start = this.#at;
    let at = first === MINUS ? start + 1 : start;
    const firstDigit = at;
    let code = text.charCodeAt(at);
    let whole = 0;
    while (isDigit(code)) {
      whole = whole * 10 + (code - ZERO);
      code = text.charCodeAt(++at);
    }
    const digits = at - firstDigit;
    this.#at = at;
    if (digits === 0) this.#fail("MALFORMED_JSON", "expected a digit");
    if (digits > 1 && text.charCodeAt(firstDigit) === ZERO) {
      this.#fail("MALFORMED_JSON", "a number starts with a needless zero", start);
    }
    const fractional = code === DOT || code === 0x65 || code === 0x45;
    if (fractional) this.#skipFraction(code);
    if (this.#lexemes || fractional || digits > MAX_EXACT_DIGITS) return this.#toNumber(start);
    return first === MINUS ? -whole : whole;
  }

  /** Moves past fraction and exponent; `code` is the point or the letter e. */
  #skipFraction(code: number): void {
    let next = code;
    if (next === DOT) {
      this.#at++;
      next = this.#skipDigits();
    }
    if (next !== 0x65 && next !== 0x45) return;
    const sign = this.#text.charCodeAt(++this.#at);
    if (sign === MINUS || sign === 0x2b) this.#at++;
    this.#skipDigits();
  }

  /** Moves past one or more digits and returns the unit after them. */
  #skipDigits(): number {
    const start = this.#at;
    let code = this.#text.charCodeAt(start);
    while (isDigit(code)) code = this.#text.charCodeAt(++this.#at);
    if (this.#at === start) this.#fail("MALFORMED_JSON", "expected a digit");
    return code;
  }

  #toNumber(start: number): number | JsonNumber {
    const lexeme = this.#text.slice(start, this.#at);
    const value = Number(lexeme);
    if (!Number.isFinite(value)) {
      return this.#fail("INVALID_PAYLOAD", "a number is out of the range of a double", start);
    }
    return this.#lexemes ? new JsonNumber(lexeme) : value;
  }

  /** Moves past white space and returns the unit after it; NaN at the end. */
  #skipSpace(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code === SPACE || code === 0x0a || code === 0x0d || code === 0x09) {
      code = this.#text.charCodeAt(++this.#at);
    }
    return code;
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #fail(code: ErrorCode, problem: string, offset = this.#at): never {
    const pointer = toJsonPointer(this.#path.slice(0, this.#depth));
    throw new AppError(code, `${problem}, at ${pointer === "" ? "the top" : pointer}, character ${offset}`, {
      meta: { pointer, offset },
    });
  }
}

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;
