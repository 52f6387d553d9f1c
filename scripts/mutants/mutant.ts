/** A change of one place in a file. The text must stand there exactly once, or the mutant is stale. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A test by its file and its full name: groups and name, joined by ` > `. */
export interface TestCheck {
  readonly file: string;
  readonly test: string;
}

/** A program that exits with 0 when all is well, and prints this text when it finds what it is made for. */
export interface ProgramCheck {
  readonly args: readonly string[];
  readonly prints: string;
}

export type Check = TestCheck | ProgramCheck;

/** A fault put into the code on purpose, and the check that must see it. */
export interface Mutant {
  readonly name: string;
  /** The promise that the fault breaks. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
  readonly check: Check;
}
