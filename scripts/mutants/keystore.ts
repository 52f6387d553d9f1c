import type { Mutant } from "./mutant.ts";

const KEYSTORE = "src/roles/wallet/keystore";
const SIGNER = "src/roles/wallet/signer";
const SIGNING = "src/roles/wallet/signing";
const VAULT = `${KEYSTORE}/vault.ts`;
const FORMAT = `${KEYSTORE}/format.ts`;
const FILES = `${KEYSTORE}/files.ts`;
const DAMAGE_TEST = `${KEYSTORE}/damage.test.ts`;
const FILES_TEST = `${KEYSTORE}/files.test.ts`;
const MEMORY_TEST = `${SIGNER}/memory.test.ts`;
const RAW_TEST = `${SIGNING}/raw-message.test.ts`;
const KILLED = "a write that is killed > leaves the old file or the new one, whichever step it was at";
const LOCKED =
  "the memory of processes, looked at from outside > holds the key in the signer's process alone while a wallet is unlocked, and nowhere once it is locked";

/** Faults of keystore files, of the process that holds keys, and of what it signs. */
export const KEYSTORE_MUTANTS: readonly Mutant[] = [
  {
    name: "keystore-without-checksum",
    breaks: "every flipped bit of a keystore file is refused",
    edits: [{ file: FORMAT, find: " || checksumOf(content as JsonObject) !== checksum", replace: "" }],
    check: {
      file: DAMAGE_TEST,
      test: "a damaged keystore file > is refused with one error for every single bit that is changed",
    },
  },
  {
    name: "keystore-any-spelling",
    breaks: "a keystore file has one spelling",
    edits: [{ file: FORMAT, find: "\\n` !== text || ", replace: "\\n` === '' || " }],
    check: {
      file: DAMAGE_TEST,
      test: "a forged keystore file, its checksum in order > is not looked at when it is in another spelling",
    },
  },
  {
    name: "keystore-header-unbound",
    breaks: "the whole header is bound to the password",
    edits: [
      {
        file: FORMAT,
        find: "canonicalize(header)}`",
        replace: "canonicalize({ ...header, watched: [] })}`",
      },
    ],
    check: {
      file: DAMAGE_TEST,
      test: "a forged keystore file, its checksum in order > does not open: another watched address",
    },
  },
  {
    name: "keystore-weak-kdf",
    breaks: "a keystore file with too little memory is not opened",
    edits: [{ file: FORMAT, find: "MIN_MEMORY_KIB = 19 * 1024", replace: "MIN_MEMORY_KIB = 1024" }],
    check: {
      file: DAMAGE_TEST,
      test: "a forged keystore file, its checksum in order > is not even looked at: too little memory",
    },
  },
  {
    name: "keystore-nonce-again",
    breaks: "each write has a nonce of its own",
    edits: [
      {
        file: VAULT,
        find: "Uint8Array.from(random(AEAD_NONCE_BYTES))",
        replace: "new Uint8Array(AEAD_NONCE_BYTES)",
      },
    ],
    check: {
      file: `${KEYSTORE}/file-keystore.test.ts`,
      test: "a wallet > has a fresh salt and nonce after each write",
    },
  },
  {
    name: "keystore-written-in-place",
    breaks: "a killed write leaves the old file or the new one",
    edits: [
      {
        file: FILES,
        find: "      await this.#disk.rename(temporary, path);",
        replace: "      await unlink(path);\n      await this.#disk.rename(temporary, path);",
      },
    ],
    check: { file: FILES_TEST, test: KILLED },
  },
  {
    name: "keystore-not-flushed",
    breaks: "a keystore file is on the disk before it takes the place of the old one",
    edits: [{ file: FILES, find: "      await this.#disk.sync(file);\n", replace: "" }],
    check: {
      file: FILES_TEST,
      test: "a write > reaches the disk before it takes its place, and its place before it is done",
    },
  },
  {
    name: "keystore-not-tried",
    breaks: "what was written is decrypted before it takes its place",
    edits: [{ file: FILES, find: "      await trial(await this.#disk.read(temporary));", replace: "" }],
    check: {
      file: FILES_TEST,
      test: "a write that fails > because the disk keeps other bytes does not replace the old file",
    },
  },
  {
    name: "keystore-last-writer-wins",
    breaks: "a change by another process is not undone",
    edits: [
      {
        file: FILES,
        find: "Buffer.compare(await this.#disk.read(path), old) !== 0",
        replace: "(await this.#disk.read(path)).length === 0 && old.length > 0",
      },
    ],
    check: {
      file: FILES_TEST,
      test: "a write that fails > because another process changed the wallet meanwhile keeps that one's change",
    },
  },
  {
    name: "signer-lock-forgets",
    breaks: "lock kills the process that holds the keys",
    edits: [
      {
        file: `${SIGNER}/process-signer.ts`,
        find: "    lock: () => child.kill(),",
        replace: "    lock: async () => {},",
      },
    ],
    check: { file: MEMORY_TEST, test: LOCKED },
  },
  {
    name: "signer-key-in-the-daemon",
    breaks: "the daemon's memory never holds a key",
    edits: [
      {
        file: `${SIGNER}/process-signer.ts`,
        find: "        return unlockedWallet(child, result as Wallet);",
        replace:
          '        const { parts } = await child.call({ call: "export_key", wallet_id: walletId }, [password.bytes]);\n' +
          "        (globalThis as { kept?: unknown }).kept = parts;\n" +
          "        return unlockedWallet(child, result as Wallet);",
      },
    ],
    check: { file: MEMORY_TEST, test: LOCKED },
  },
  {
    name: "signer-outlives-its-parent",
    breaks: "the process that holds keys ends with the daemon",
    edits: [
      {
        file: `${SIGNER}/child.ts`,
        find: '  input.on("end", end).on("close", end).on("error", end);',
        replace: "  setInterval(() => input, 1000);",
      },
    ],
    check: {
      file: `${SIGNER}/process-signer.test.ts`,
      test: "an unlocked wallet > ends with its parent, however that ends",
    },
  },
  {
    name: "signing-any-tag",
    breaks: "a plain message cannot be one of the network's documents",
    edits: [
      {
        file: `${SIGNING}/raw-message.ts`,
        find: "message.subarray(0, DOMAIN_TAG.length), DOMAIN_TAG) === 0",
        replace: "message, DOMAIN_TAG) === 0",
      },
    ],
    check: {
      file: RAW_TEST,
      test: "a raw message > with the network's tag is refused, whatever follows",
    },
  },
  {
    name: "signing-strict-receipts-alone",
    breaks: "what a tolerant parser reads as a receipt is not signed either",
    edits: [
      {
        file: `${SIGNING}/raw-message.ts`,
        find: "    return (name) => plain.includes(name);",
        replace: "    return (name) => plain === name;",
      },
    ],
    check: {
      file: RAW_TEST,
      test: 'a raw message > {"receipt_id":"r","price":NaN} is refused, because a verifier could read a receipt',
    },
  },
  {
    name: "argon2-all-at-once",
    breaks: "at most two passwords are hashed at once",
    edits: [
      {
        file: "src/crypto/argon2id.ts",
        find: "const MAX_CONCURRENT = 2;",
        replace: "const MAX_CONCURRENT = 20;",
      },
    ],
    check: {
      file: "src/crypto/argon2id.test.ts",
      test: "Argon2id > hashes two at once, and the third when one of them has ended, failed or not",
    },
  },
  {
    name: "multisig-same-signer-twice",
    breaks: "signatures of different signers are needed",
    edits: [
      {
        file: "src/domain/multisig/proposal.ts",
        find: "/signer`, last + 1)",
        replace: "/signer`)",
      },
    ],
    check: {
      file: "src/domain/multisig/proposal.test.ts",
      test: "a document of several signers > does not verify when anything of it is changed",
    },
  },
];
