import type { MessagePort } from "node:worker_threads";
import { AppError } from "../errors.ts";
import { InlineWriter } from "./inline-writer.ts";
import type { Procedures } from "./procedures.ts";
import { type FromWriter, type OperationMessage, type ToWriter, toPlainError } from "./writer-messages.ts";

type Results = Extract<FromWriter, { type: "results" }>;

async function closeWriter(writer: InlineWriter | undefined): Promise<void> {
  await writer?.drain();
  await writer?.close();
}

/** Runs the operations that come over a port, as the writer's thread; the other end is a `ThreadWriter`. */
export function serveWriter(
  port: MessagePort,
  procedures: Procedures,
  nativeBinding: object | undefined,
): void {
  let writer: InlineWriter | undefined;
  let results: Results["results"][number][] = [];
  let batches: Results["batches"][number][] = [];
  const send = (message: FromWriter): void => port.postMessage(message);
  let failure: Results["failure"];
  let scheduled = false;
  /**
   * All outcomes of a batch are known in the turn of its COMMIT, and told in one message; with them that the storage
   * failed, so that nobody writes between the two.
   */
  const tellSoon = (): void => {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      send({ type: "results", results, batches, failure });
      scheduled = false;
      results = [];
      batches = [];
      failure = undefined;
    });
  };
  const tell = (result: Results["results"][number]): void => {
    results.push(result);
    tellSoon();
  };
  const run = ({ id, name, args }: OperationMessage): void => {
    if (!writer) throw new AppError("STORAGE_MISUSE", "an operation came before the database was opened");
    const body = procedures.get(name);
    writer.start(
      { body, args, inBulk: procedures.bulkOf(body) },
      (value) => tell({ id, value }),
      (error) => tell({ id, error: toPlainError(error) }),
    );
  };
  port.on("message", (message: ToWriter) => {
    switch (message.type) {
      case "open":
        try {
          writer = new InlineWriter(
            message.settings,
            {
              onFatal(error) {
                failure = toPlainError(error);
                tellSoon();
              },
              onLongLog: () => send({ type: "long-log" }),
              onBatch: (report, schemaChanged) => void batches.push({ report, schemaChanged }),
            },
            nativeBinding,
          );
        } catch (error) {
          send({ type: "failed", error: toPlainError(error) });
        }
        break;
      case "operations":
        for (const operation of message.operations) run(operation);
        break;
      case "fail":
        writer?.fail(message.error);
        break;
      case "checkpointed":
        writer?.checkpointed();
        break;
      case "close":
        void closeWriter(writer).then(() => {
          send({ type: "closed" });
          port.close();
        });
        break;
    }
  });
  send({ type: "loaded" });
}
