import type { Client } from "../../client/client.ts";
import { type Choice, readDeltas } from "../../domain/job/answer.ts";
import type { ChoiceView, JobResult } from "../../wire/jobs.ts";
import { printResult } from "../format.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";
import { TextSink, writeChoices } from "./answer/sink.ts";
import { outcomeError } from "./outcome.ts";
import { summarizeReceipt } from "./receipts.ts";

interface ResultOptions extends GlobalOptions {
  readonly wait?: boolean;
}

/** What an answer is made of, wherever it was kept. */
interface WholeAnswer {
  readonly text: string;
  readonly choices?: readonly (Choice | ChoiceView)[];
  readonly embeddings?: readonly string[];
}

/** The answer itself, also where it is too long for the result. @throws AppError PROTOCOL_VIOLATION for another one than was named */
async function readWhole(client: Client, { result }: JobResult): Promise<WholeAnswer> {
  const { text_in_artifact, artifact, text, choices, embeddings } = result;
  if (!text_in_artifact || !artifact) {
    return { text, ...(choices && { choices }), ...(embeddings && { embeddings }) };
  }
  const output = (await client.artifacts.read(artifact.artifact)).toString("utf8");
  if (artifact.media_type.startsWith("text/")) return { text: output };
  const answer = readDeltas(output);
  if (answer.embeddings.length > 0) return { text: "", embeddings: answer.embeddings };
  return { text: answer.choices[0]?.text ?? "", choices: answer.choices };
}

/** Prints the answer of a job: alone on stdout, with what there is to know about it on stderr. */
export async function printJobResult(io: Io, options: ResultOptions, jobId: string): Promise<void> {
  const client = await openClient(io, options, "client");
  if (options.wait) await client.waitForJob(jobId);
  const found = await client.getResult(jobId);
  const whole = await readWhole(client, found);
  if (options.output === "json" || options.output === "yaml") {
    const { text_in_artifact: _where, ...result } = found.result;
    await printResult(io, options.output, { ...found, result: { ...result, ...whole } }, () => "");
  } else await printAnswer(io, whole);
  if (found.receipt) writeLine(io.stderr, summarizeReceipt(found.receipt));
  if (!found.result.partial) return;
  const view = await client.getJob(jobId);
  const error = outcomeError(jobId, view.state, view.error);
  if (error) throw error;
}

async function printAnswer(io: Io, { text, choices, embeddings }: WholeAnswer): Promise<void> {
  if (embeddings) {
    const { formatVectors } = await import("./embed.ts");
    return printResult(io, "table", embeddings, () => formatVectors(embeddings));
  }
  const sink = new TextSink(io, choices?.length);
  if (choices) return writeChoices(sink, choices);
  await sink.write({ text });
  await sink.end();
}
