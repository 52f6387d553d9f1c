import { defineProcedures, Procedures } from "../kernel/db/procedures.ts";
import { coordinatorProcedures } from "../roles/coordinator/procedures.ts";
import { gatewayProcedures } from "../roles/gateway/procedures.ts";
import { walletProcedures } from "../roles/wallet/procedures.ts";
import { accessProcedures } from "./access/procedures.ts";
import { reindexTable } from "./reindex.ts";

/** What maintenance writes. */
const appProcedures = defineProcedures({ reindexTable });

/** Everything that the daemon writes, by name: the same in the daemon and in the writer's thread. */
export function createProcedures(): Procedures {
  const procedures = new Procedures();
  procedures.add("app", appProcedures);
  procedures.add("access", accessProcedures);
  procedures.add("coordinator", coordinatorProcedures);
  procedures.add("gateway", gatewayProcedures);
  procedures.add("wallet", walletProcedures);
  return procedures;
}
