/** Changes that validators vote on. A change is in force when a quorum of the validators of one height agrees. */
import { ADDRESS, readInteger, readList, readMembers, readText } from "../consensus/read.ts";
import { MAX_VALIDATORS } from "../consensus/validator-set.ts";
import { type EntryKind, entryKey } from "./entry.ts";
import type { Execution, ResultCode } from "./execution.ts";

interface Ballot {
  /** What is voted on: canonical text. The same text is the same ballot. */
  readonly subject: string;
  /** Addresses, the one that opened it first. */
  readonly voters: readonly string[];
  /** Header time (Unix ms) from which on it counts as if nobody had voted. */
  readonly expiresAt: number;
}

/** Ballots that one validator may have opened: one faulty validator must not fill the state. */
const MAX_BALLOTS_EACH = 8;
/** Of all, those of validators that were removed since included. */
const MAX_BALLOTS = MAX_BALLOTS_EACH * MAX_VALIDATORS;

const MS_PER_SECOND = 1000;

const SUBJECT = /^[\x20-\x7e]{1,4096}$/;

const BALLOTS: EntryKind<readonly Ballot[]> = {
  namespace: "ballots",
  holds: () => 0n,
  toJson: (ballots) => ({
    open: ballots.map(({ subject, voters, expiresAt }) => ({ subject, voters, expires_at: expiresAt })),
  }),
  read(json, pointer) {
    const { open } = readMembers(json, pointer, ["open"]);
    return readList(open, `${pointer}/open`, MAX_BALLOTS, readBallot);
  },
};

export const BALLOTS_KEY = entryKey(BALLOTS);

function readBallot(json: unknown, pointer: string): Ballot {
  const { subject, voters, expires_at } = readMembers(json, pointer, ["subject", "voters", "expires_at"]);
  return {
    subject: readText(subject, `${pointer}/subject`, SUBJECT),
    voters: readList(voters, `${pointer}/voters`, MAX_VALIDATORS, (value, at) =>
      readText(value, at, ADDRESS),
    ),
    expiresAt: readInteger(expires_at, `${pointer}/expires_at`),
  };
}

/** What a vote led to: the change is decided, or still open, or the vote does not count. */
export type VoteOutcome =
  | "decided"
  | "open"
  | Extract<ResultCode, "NOT_A_VALIDATOR" | "ALREADY_VOTED" | "TOO_MANY_BALLOTS">;

/** Counts a validator's vote for a subject. */
export function castVote(execution: Execution, voter: string, subject: string): VoteOutcome {
  const { draft, validators, time, params } = execution;
  if (!validators.has(voter)) return "NOT_A_VALIDATOR";
  const current = draft.get(BALLOTS_KEY).filter(({ expiresAt }) => expiresAt > time);
  const ballot = current.find((each) => each.subject === subject);
  if (ballot?.voters.includes(voter)) return "ALREADY_VOTED";
  if (!ballot && !mayOpen(current, voter)) return "TOO_MANY_BALLOTS";
  // A vote counts while its validator is one.
  const voters = [...(ballot?.voters ?? []).filter((each) => validators.has(each)), voter];
  const others = current.filter((each) => each !== ballot);
  const isDecided = voters.length >= validators.quorum;
  const expiresAt = ballot?.expiresAt ?? time + params.ballot_seconds * MS_PER_SECOND;
  draft.put(BALLOTS_KEY, isDecided ? others : [...others, { subject, voters, expiresAt }]);
  return isDecided ? "decided" : "open";
}

function mayOpen(ballots: readonly Ballot[], voter: string): boolean {
  const own = ballots.filter(({ voters }) => voters[0] === voter).length;
  return own < MAX_BALLOTS_EACH && ballots.length < MAX_BALLOTS;
}
