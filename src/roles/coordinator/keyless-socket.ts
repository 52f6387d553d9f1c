import { type Channel, CLOSE } from "../../kernel/channel.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import { check } from "../../kernel/http/body.ts";
import { parseJson } from "../../kernel/json.ts";
import type { Log } from "../../kernel/log.ts";
import { MAX_FRAME_BYTES } from "../../wire/limits.ts";
import { KeylessFrame } from "../../wire/miners.ts";
import type { KeylessCaller } from "./keyless-caller.ts";
import type { KeylessMiners } from "./keyless-miners.ts";
import { MAX_BUFFERED_BYTES } from "./limits.ts";

/** Frames of one socket that are worked on at once; a miner that sends more waits for no answer at all. */
const MAX_PENDING = 64;

/** Serves a registered miner over its WebSocket: the REST calls as frames, and jobs as they come. */
export function serveKeylessSocket(
  miners: KeylessMiners,
  caller: KeylessCaller,
  channel: Channel,
  log: Log,
): void {
  let pending = 0;
  const send = (frame: object): void => {
    if (channel.bufferedBytes > MAX_BUFFERED_BYTES) channel.close(CLOSE.tryLater, "too slow");
    else channel.send(JSON.stringify(frame));
  };
  miners.attach(caller, channel);
  channel.onFrame((raw) => {
    if (pending >= MAX_PENDING)
      return refuse(new AppError("RATE_LIMITED", "wait for the answers"), undefined);
    let jobId: string | undefined;
    pending++;
    answer(miners, caller, raw, (id) => {
      jobId = id;
    })
      .then(send, (error: unknown) => refuse(error, jobId))
      .finally(() => pending--);
  });

  function refuse(error: unknown, jobId: string | undefined): void {
    const { code, message, definition } = toAppError(error);
    if (definition.status >= 500) log.error({ err: error, job_id: jobId }, "miner frame failed");
    send({
      type: "error",
      code,
      detail: definition.status >= 500 ? definition.title : message,
      ...(jobId !== undefined && { job_id: jobId }),
    });
  }
}

async function answer(
  miners: KeylessMiners,
  caller: KeylessCaller,
  raw: string,
  about: (jobId: string) => void,
): Promise<object> {
  const frame = check(KeylessFrame, parseJson(raw, { maxBytes: MAX_FRAME_BYTES }), "body");
  const type = `${frame.type}.ok`;
  if ("job_id" in frame && typeof frame.job_id === "string") about(frame.job_id);
  switch (frame.type) {
    case "heartbeat":
      return { type, leases: miners.heartbeat(caller, frame) };
    case "drain":
      return { type, leases: miners.drain(caller) };
    case "start":
      await miners.begin(caller, frame.job_id, frame.lease_token);
      return { type, job_id: frame.job_id };
    case "result":
      return { type, job_id: frame.job_id, receipt: await miners.complete(caller, frame.job_id, frame) };
    case "fail":
      await miners.fail(caller, frame.job_id, frame);
      return { type, job_id: frame.job_id };
  }
}
