import { createRandom } from "./random.ts";

/** What a job of the torture asks for. The prompt says it all, so that any miner knows the whole answer. */
export interface AnswerPlan {
  readonly seed: number;
  readonly bytes: number;
  /** A slow answer runs on through many kills, until the miners are told to finish. */
  readonly slow: boolean;
}

/** Words of one to four bytes a character, so that cuts inside characters would show. */
const WORDS = ["and", "so", "très", "naïve", "☀", "漢字", "😀", "über", "x", "…", "the", "answer"];

export function promptOf({ seed, bytes, slow }: AnswerPlan): string {
  return `torture ${seed} ${bytes} ${slow ? "slow" : "fast"}`;
}

/** Reads a prompt. @throws Error for any other prompt */
export function planOf(prompt: string): AnswerPlan {
  const [, seed, bytes, pace] = prompt.match(/^torture (\d+) (\d+) (slow|fast)$/) ?? [];
  if (seed === undefined) throw new Error(`not a prompt of the torture: ${prompt}`);
  return { seed: Number(seed), bytes: Number(bytes), slow: pace === "slow" };
}

/** The one right answer: every miner that continues it at any byte continues this text. */
export function answerOf({ seed, bytes }: AnswerPlan): Buffer {
  const random = createRandom(seed);
  let text = "";
  for (let length = 0; length < bytes; ) {
    const word = `${WORDS[random.below(WORDS.length)]} `;
    text += word;
    length += Buffer.byteLength(word);
  }
  return Buffer.from(text);
}

/** The end of a piece of at most `size` bytes from `start` that cuts no character. */
export function pieceEnd(answer: Buffer, start: number, size: number): number {
  let end = Math.min(answer.length, start + size);
  // Bytes 10xxxxxx continue a character (RFC 3629 §3).
  while (end < answer.length && ((answer[end] ?? 0) & 0xc0) === 0x80) end++;
  return end;
}
