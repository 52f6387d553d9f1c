/**
 * The ledger once more, as plainly as it can be said: maps that are changed in place, every height's validators
 * and parameters in a list, the root by its definition. It shares no rule with the ledger that it is held against.
 */
import { addressOfKey } from "../../src/crypto/address.ts";
import { concatBytes, fromBase64Url, toHex } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalize } from "../../src/crypto/canonical-json.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import type { Genesis } from "../../src/domain/ledger/genesis.ts";
import type { Transaction } from "../../src/domain/ledger/transaction.ts";

interface TwinAccount {
  balance: bigint;
  nonce: number;
  stake: bigint;
  unbonding: { amount: bigint; matures_at: number }[];
}
interface TwinBallot {
  subject: string;
  voters: string[];
  expires_at: number;
}
type TwinParams = Record<string, bigint | number>;
type Payload = Record<string, unknown>;

/** Thrown where a transaction fails after it has paid. */
class Failure extends Error {}

export class LedgerTwin {
  readonly accounts = new Map<string, TwinAccount>();
  /** By height, from 0. */
  readonly validators: string[][];
  readonly params: TwinParams[];
  readonly #known = new Map<string, string>();
  #ballots: TwinBallot[] = [];
  readonly #offences = new Map<string, number>();
  readonly #genesis: bigint;
  #minted = 0n;
  #burned = 0n;
  #height = 0;

  constructor({ params, validators, accounts }: Genesis) {
    const keys = validators.validators.map(({ public_key }) => public_key);
    this.validators = [keys, keys, keys];
    this.params = [params, params, params].map((each) => ({ ...each }));
    for (const key of keys) this.#known.set(addressOf(key), key);
    for (const { address, balance, stake } of accounts) {
      this.accounts.set(address, { balance, nonce: 0, stake, unbonding: [] });
    }
    this.#genesis = this.total();
  }

  /** All that accounts hold. */
  total(): bigint {
    let total = 0n;
    for (const { balance, stake, unbonding } of this.accounts.values()) {
      total += balance + stake;
      for (const { amount } of unbonding) total += amount;
    }
    return total;
  }

  /** What there should be. */
  expected(): bigint {
    return this.#genesis + this.#minted - this.#burned;
  }

  /** Whether anybody owes anything. */
  hasNegative(): boolean {
    return [...this.accounts.values()].some(
      ({ balance, stake, unbonding }) =>
        balance < 0n || stake < 0n || unbonding.some(({ amount }) => amount <= 0n),
    );
  }

  /** Applies a block; returns the codes of what can be included. */
  block(time: number, proposer: string, transactions: readonly Transaction[]): string[] {
    this.#height++;
    this.validators.push(this.validators.at(-1) ?? []);
    this.params.push({ ...this.params.at(-1) });
    return transactions.flatMap((transaction) => this.#run(transaction, time, proposer) ?? []);
  }

  #run(tx: Transaction, time: number, proposer: string): string | undefined {
    const type = tx.module.type;
    const params = this.params[this.#height] ?? {};
    const before = this.#save();
    const account = this.#account(tx.sender);
    this.#release(account, time);
    const least = Number(params["base_fee_uait"]) + Number(params["fee_per_byte_uait"]) * tx.text.length;
    const isPaid = type === "EVIDENCE" || Number(tx.fee) >= least;
    if (tx.nonce !== account.nonce + 1 || !isPaid || tx.fee > account.balance) {
      before();
      return undefined;
    }
    account.nonce++;
    account.balance -= tx.fee;
    if (tx.fee > 0n) this.#account(proposer).balance += tx.fee;
    const charged = this.#save();
    try {
      this.#apply(type, tx.sender, tx.payload as Payload, time);
      return "OK";
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      (type === "EVIDENCE" ? before : charged)();
      return type === "EVIDENCE" ? undefined : error.message;
    }
  }

  #apply(type: string, sender: string, payload: Payload, time: number): void {
    const account = this.#account(sender);
    const amount = BigInt((payload["amount"] as string | undefined) ?? 0);
    const params = this.params[this.#height] ?? {};
    if (type === "TRANSFER") {
      if (account.balance < amount) throw new Failure("INSUFFICIENT_FUNDS");
      account.balance -= amount;
      this.#account(payload["to"] as string).balance += amount;
    } else if (type === "STAKE") {
      if (account.balance < amount) throw new Failure("INSUFFICIENT_FUNDS");
      account.balance -= amount;
      account.stake += amount;
    } else if (type === "UNSTAKE") {
      if (account.stake < amount) throw new Failure("INSUFFICIENT_STAKE");
      account.stake -= amount;
      const matures_at = time + Number(params["unbonding_seconds"]) * 1000;
      const same = account.unbonding.find((each) => each.matures_at === matures_at);
      if (same) same.amount += amount;
      else account.unbonding.push({ amount, matures_at });
      account.unbonding.sort((a, b) => a.matures_at - b.matures_at);
      if (account.unbonding.length > 8) throw new Failure("TOO_MANY_UNBONDINGS");
    } else if (type === "FAUCET") {
      const most = BigInt(params["faucet_max_uait"] ?? 0);
      if (most === 0n) throw new Failure("NO_FAUCET");
      if (!this.#isValidator(sender)) throw new Failure("NOT_A_VALIDATOR");
      if (amount > most) throw new Failure("FAUCET_LIMIT");
      this.#minted += amount;
      this.#account(payload["to"] as string).balance += amount;
    } else if (type === "VALIDATOR_VOTE") this.#voteOnValidator(sender, payload, time);
    else if (type === "PARAM_UPDATE") this.#voteOnParams(sender, payload, time);
    else this.#punish(payload, time);
  }

  #voteOnValidator(sender: string, payload: Payload, time: number): void {
    const key = payload["public_key"] as string;
    const last = this.validators.length - 1;
    const set = this.validators[last] ?? [];
    if (payload["action"] === "add" && set.includes(key)) throw new Failure("VALIDATOR_EXISTS");
    if (payload["action"] === "remove" && !set.includes(key)) throw new Failure("VALIDATOR_UNKNOWN");
    if (payload["action"] === "remove" && set.length === 1) throw new Failure("LAST_VALIDATOR");
    if (!this.#vote(sender, "VALIDATOR_VOTE", payload, time)) return;
    this.validators[last] = payload["action"] === "add" ? [...set, key] : set.filter((each) => each !== key);
    this.#known.set(addressOf(key), key);
  }

  #voteOnParams(sender: string, payload: Payload, time: number): void {
    if (!this.#vote(sender, "PARAM_UPDATE", payload, time)) return;
    for (const [name, value] of Object.entries(payload["changes"] as Record<string, string | number>)) {
      const params = this.params.at(-1);
      if (params) params[name] = typeof value === "string" ? BigInt(value) : value;
    }
  }

  /** Whether a quorum is reached with this vote. */
  #vote(sender: string, type: string, payload: Payload, time: number): boolean {
    if (!this.#isValidator(sender)) throw new Failure("NOT_A_VALIDATOR");
    const subject = canonicalize({ type, payload: payload as Canonicalizable });
    const open = this.#ballots.filter(({ expires_at }) => expires_at > time);
    const mine = open.find((ballot) => ballot.subject === subject);
    if (mine?.voters.includes(sender)) throw new Failure("ALREADY_VOTED");
    if (!mine && open.filter(({ voters }) => voters[0] === sender).length >= 8) {
      throw new Failure("TOO_MANY_BALLOTS");
    }
    const seconds = Number(this.params[this.#height]?.["ballot_seconds"]);
    const ballot = mine ?? { subject, voters: [], expires_at: time + seconds * 1000 };
    ballot.voters = [...ballot.voters.filter((voter) => this.#isValidator(voter)), sender];
    const votes = ballot.voters.length;
    const isDecided = votes * 3 > (this.validators[this.#height]?.length ?? 0) * 2;
    this.#ballots = open.filter((each) => each !== ballot);
    if (!isDecided) this.#ballots.push(ballot);
    return isDecided;
  }

  /** Whoever makes the operations makes no false evidence but of those who were no validators. */
  #punish(payload: Payload, time: number): void {
    const { messages } = payload["evidence"] as { messages: { validator: string; height: number }[] };
    const [message] = messages;
    if (!message) throw new Failure("INVALID_EVIDENCE");
    const { validator, height } = message;
    const set = this.validators[Math.min(height, this.validators.length - 1)] ?? [];
    if (!set.some((key) => addressOf(key) === validator)) throw new Failure("INVALID_EVIDENCE");
    if (this.#offences.has(`${validator}/${height}`)) throw new Failure("OFFENCE_KNOWN");
    this.#offences.set(`${validator}/${height}`, height);
    if (!this.accounts.has(validator)) return;
    const account = this.#account(validator);
    const untouched = structuredClone(account);
    const burnedBefore = this.#burned;
    this.#release(account, time);
    const ppm = BigInt(this.params[this.#height]?.["equivocation_slash_ppm"] ?? 0);
    const burn = (amount: bigint): bigint => {
      const part = (amount * ppm) / 1_000_000n + ((amount * ppm) % 1_000_000n > 0n ? 1n : 0n);
      this.#burned += part;
      return amount - part;
    };
    account.stake = burn(account.stake);
    for (const each of account.unbonding) each.amount = burn(each.amount);
    account.unbonding = account.unbonding.filter(({ amount }) => amount > 0n);
    // Where nothing burns, nothing is touched.
    if (this.#burned === burnedBefore) this.accounts.set(validator, untouched);
  }

  #release(account: TwinAccount, time: number): void {
    for (const { amount, matures_at } of account.unbonding) if (matures_at <= time) account.balance += amount;
    account.unbonding = account.unbonding.filter(({ matures_at }) => matures_at > time);
  }

  #isValidator(address: string): boolean {
    return (this.validators[this.#height] ?? []).some((key) => addressOf(key) === address);
  }

  #account(address: string): TwinAccount {
    const account = this.accounts.get(address) ?? { balance: 0n, nonce: 0, stake: 0n, unbonding: [] };
    this.accounts.set(address, account);
    return account;
  }

  /** Takes back, when it is called, what was changed since. */
  #save(): () => void {
    const saved = structuredClone({
      accounts: this.accounts,
      ballots: this.#ballots,
      minted: this.#minted,
      burned: this.#burned,
    });
    return () => {
      this.accounts.clear();
      for (const [address, account] of saved.accounts) this.accounts.set(address, account);
      this.#ballots = saved.ballots;
      this.#minted = saved.minted;
      this.#burned = saved.burned;
    };
  }

  /** Root of the state, by the definition of the tree. */
  root(): string {
    return toHex(
      rootOf(
        [...this.#entries()].map(([name, value]) => ({
          bits: [...sha256(name)].map((byte) => byte.toString(2).padStart(8, "0")).join(""),
          hash: sha256(concatBytes(Uint8Array.of(0), sha256(name), sha256(canonicalize(value)))),
        })),
        0,
      ),
    );
  }

  *#entries(): Generator<[name: string, value: Canonicalizable]> {
    for (const [address, { balance, nonce, stake, unbonding }] of this.accounts) {
      const parts = unbonding.map(({ amount, matures_at }) => ({ amount: String(amount), matures_at }));
      const rest = parts.length > 0 ? { unbonding: parts } : {};
      yield [`account/${address}`, { balance: String(balance), nonce, stake: String(stake), ...rest }];
    }
    const [genesis, minted, burned] = [this.#genesis, this.#minted, this.#burned].map(String);
    yield ["supply", { genesis, minted, burned }];
    yield ["ballots", { open: this.#ballots.map((ballot) => ({ ...ballot })) }];
    const [next, after] = this.params.slice(-2).map(toJson);
    yield ["params", { next, after }];
    const [nextKeys, afterKeys] = this.validators.slice(-2).map(byAddress);
    yield ["validators", { next: nextKeys, after: afterKeys }];
    for (const [id, height] of this.#offences) yield [`offence/${id}`, { height }];
    for (const [address, key] of this.#known) {
      yield [`validator/${address}`, { public_key: key, terms: this.#terms(key) }];
    }
  }

  /** Runs of heights at which a key is in the set; the last one is open where it is so at the end. */
  #terms(key: string): Canonicalizable[] {
    const terms: { from: number; to?: number }[] = [];
    for (let height = 1; height < this.validators.length; height++) {
      const isIn = this.validators[height]?.includes(key);
      const wasIn = height > 1 && this.validators[height - 1]?.includes(key);
      if (isIn && !wasIn) terms.push({ from: height });
      const last = terms.at(-1);
      if (!isIn && wasIn && last) last.to = height - 1;
    }
    return terms;
  }
}

const addressOf = (key: string): string => addressOfKey(fromBase64Url("key", key));
const byAddress = (keys: readonly string[]): string[] =>
  keys.toSorted((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1));
const toJson = (params: TwinParams): Canonicalizable =>
  Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, typeof value === "bigint" ? String(value) : value]),
  );

/** The definition: no leaf, one leaf, or a node over the halves by the next bit. */
function rootOf(
  leaves: readonly { readonly bits: string; readonly hash: Uint8Array }[],
  depth: number,
): Uint8Array {
  const [only] = leaves;
  if (!only) return new Uint8Array(32);
  if (leaves.length === 1) return only.hash;
  const half = (bit: string): Uint8Array =>
    rootOf(
      leaves.filter(({ bits }) => bits[depth] === bit),
      depth + 1,
    );
  return sha256(concatBytes(Uint8Array.of(1), half("0"), half("1")));
}
