/**
 * Looks for stop strings in text that comes in pieces. Text that could be the beginning of a stop string is
 * held back until that is decided.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Takes a piece; gives the text that is certain, and whether a stop string ended the answer. */
  push(piece: string): { readonly text: string; readonly stopped: boolean } {
    const text = this.#held + piece;
    const at = this.#find(text);
    if (at !== -1) {
      this.#held = "";
      return { text: text.slice(0, at), stopped: true };
    }
    const certain = text.length - this.#undecided(text);
    this.#held = text.slice(certain);
    return { text: text.slice(0, certain), stopped: false };
  }

  /** The answer has ended: gives what was held back. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  /** Where the first stop string begins, or −1. */
  #find(text: string): number {
    let first = -1;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at !== -1 && (first === -1 || at < first)) first = at;
    }
    return first;
  }

  /** Length of the longest end of the text that is the beginning of a stop string. */
  #undecided(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
