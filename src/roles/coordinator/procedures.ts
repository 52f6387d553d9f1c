import { bulk, defineProcedures } from "../../kernel/db/procedures.ts";
import {
  addArtifact,
  deleteArtifactRows,
  deleteExpired,
  keepArtifact,
  nameResult,
} from "./store/artifacts.ts";
import { grantLease, grantLeases } from "./store/claims.ts";
import { endLease, endLeases } from "./store/endings.ts";
import { clearSlots, forgetKeys, indexKeys } from "./store/idempotency.ts";
import { adoptRuns, endQueued, raisePriority } from "./store/jobs.ts";
import { markDeactivated, markDrained, upsertMiner } from "./store/miners.ts";
import { noteModels } from "./store/models.ts";
import { storeFlushes, storePortions } from "./store/portions.ts";
import { internRequirement, markReady, park, pruneRequirements, unpark, unparkAll } from "./store/queue.ts";
import {
  storeSubmission,
  storeSubmissions,
  storeTakenSubmission,
  storeTakenSubmissions,
} from "./store/submissions.ts";
import { addTemplate, deleteTemplate } from "./store/templates.ts";

/** What the coordinator writes. */
export const coordinatorProcedures = defineProcedures({
  addArtifact,
  addTemplate,
  adoptRuns,
  clearSlots,
  deleteArtifactRows,
  deleteExpired,
  deleteTemplate,
  endLease: bulk(endLease, endLeases),
  endQueued,
  forgetKeys,
  grantLease: bulk(grantLease, grantLeases),
  indexKeys,
  internRequirement,
  keepArtifact,
  markDeactivated,
  markDrained,
  markReady,
  nameResult,
  noteModels,
  park,
  pruneRequirements,
  raisePriority,
  storePortions: bulk(storePortions, storeFlushes),
  storeSubmission: bulk(storeSubmission, storeSubmissions),
  storeTakenSubmission: bulk(storeTakenSubmission, storeTakenSubmissions),
  unpark,
  unparkAll,
  upsertMiner,
});
