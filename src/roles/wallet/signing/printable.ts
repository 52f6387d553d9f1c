/** Characters that a terminal does not show as themselves: controls and formats, but for line ends and joiners. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u;
const HARMLESS = /\r\n|[\n\t\u200c\u200d]/g;

/**
 * The text of a message when a person who reads it sees all of it: UTF-8 without controls, and without characters
 * that reorder or hide others. Undefined for any other bytes.
 */
export function printableText(message: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(message);
    return HIDDEN.test(text.replaceAll(HARMLESS, "")) ? undefined : text;
  } catch {
    return undefined;
  }
}
