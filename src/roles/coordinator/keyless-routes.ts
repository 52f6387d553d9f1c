import { ok, type Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import {
  activateMinerById,
  deregisterMiner,
  drainMinerById,
  getMiner,
  getMinerEarnings,
  getMinerJobs,
  listMinerEarnings,
  listMinerJobs,
  updateCapabilities,
} from "../../wire/miner-accounts.ts";
import {
  clientSocket,
  drainMiner,
  failJob,
  minerHeartbeat,
  minerSocket,
  pollJob,
  registerMiner,
  startJob,
  submitResult,
} from "../../wire/miners.ts";
import { serveJobSocket } from "./job-socket.ts";
import type { KeylessCaller } from "./keyless-caller.ts";
import { serveKeylessSocket } from "./keyless-socket.ts";
import type { Coordinator } from "./service.ts";

/** A call of a miner, as far as it says who speaks. */
interface MinerCall {
  readonly principal: Principal;
  readonly headers: { readonly "x-miner-id"?: string | undefined };
}

const callerOf = ({ principal, headers }: MinerCall): KeylessCaller => ({
  principal,
  name: headers["x-miner-id"],
});

const NO_CONTENT = 204;

/** The routes of miners that hold no signing key, and the WebSockets of existing clients. */
export function addKeylessRoutes(router: Router<Access, Principal>, coordinator: Coordinator): void {
  router.on(registerMiner, async (call) =>
    ok({ status: "ok", ...(await coordinator.keyless.register(callerOf(call), call.body)) }),
  );
  router.on(minerHeartbeat, (call) =>
    ok({ status: "ok", leases: coordinator.keyless.heartbeat(callerOf(call), call.body) }),
  );
  router.on(pollJob, async (call) => {
    const { max_wait_seconds } = call.body;
    const assignment = await coordinator.keyless.poll(callerOf(call), max_wait_seconds, call.signal);
    return assignment ? ok(assignment) : new Response(null, { status: NO_CONTENT });
  });
  router.on(startJob, async (call) => {
    await coordinator.keyless.begin(callerOf(call), call.params.job_id, call.query.lease_token);
    return ok({ status: "ok" });
  });
  router.on(submitResult, async (call) =>
    ok({
      status: "ok",
      receipt: await coordinator.keyless.complete(callerOf(call), call.params.job_id, call.body),
    }),
  );
  router.on(failJob, async (call) => {
    await coordinator.keyless.fail(callerOf(call), call.params.job_id, call.body);
    return ok({ status: "ok" });
  });
  router.on(drainMiner, async (call) =>
    ok({ status: "ok", leases: await coordinator.minerAccounts.drainCaller(callerOf(call)) }),
  );
  addSockets(router, coordinator);
}

/** The routes that name a miner. Paths with fixed parts come before them. */
export function addMinerAccountRoutes(router: Router<Access, Principal>, coordinator: Coordinator): void {
  const { minerAccounts } = coordinator;
  router.on(getMiner, async ({ principal, params }) =>
    ok(await minerAccounts.view(principal, params.miner_id)),
  );
  router.on(drainMinerById, async ({ principal, params }) =>
    ok(await minerAccounts.setDraining(principal, params.miner_id, true)),
  );
  router.on(activateMinerById, async ({ principal, params }) =>
    ok(await minerAccounts.setDraining(principal, params.miner_id, false)),
  );
  router.on(updateCapabilities, ({ principal, params: { miner_id }, body }) => {
    const capabilities = body.capabilities ?? body;
    const { sessionToken } = coordinator.keyless.update(principal, miner_id, capabilities);
    return ok({ miner_id, status: "updated", capabilities, session_token: sessionToken });
  });
  for (const contract of [listMinerJobs, getMinerJobs]) {
    router.on(contract, async ({ principal, params, query }) =>
      ok(await coordinator.minerHistory.jobs(principal, params.miner_id, query)),
    );
  }
  for (const contract of [listMinerEarnings, getMinerEarnings]) {
    router.on(contract, async ({ principal, params }) =>
      ok(await coordinator.minerHistory.earnings(principal, params.miner_id)),
    );
  }
  router.on(deregisterMiner, ({ principal, params: { miner_id } }) => {
    coordinator.keyless.deregister(principal, miner_id);
    return ok({ miner_id, status: "deregistered" });
  });
}

function addSockets(router: Router<Access, Principal>, coordinator: Coordinator): void {
  router.socket(minerSocket, (call) => {
    const caller = callerOf(call);
    coordinator.keyless.check(caller);
    return (channel) => serveKeylessSocket(coordinator.keyless, caller, channel, coordinator.log);
  });
  router.socket(clientSocket, async ({ principal, query: { job_id } }) => {
    const abort = new AbortController();
    const source = await coordinator.states(principal, job_id, abort.signal);
    return (channel) => serveJobSocket(job_id, source, abort, channel);
  });
}
