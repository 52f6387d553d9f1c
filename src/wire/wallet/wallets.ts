import { z } from "zod";
import { Address, AmountString, Sha256Hex } from "../scalars.ts";
import { walletRoute } from "./access.ts";
import { MAX_METADATA_NAME, PASSWORD_CALLS, PASSWORD_WINDOW_SECONDS } from "./limits.ts";
import { MessageBase64, Metadata, Password, SecretKeyBase64, WalletId } from "./scalars.ts";
import { SESSION_OPERATIONS, SessionView } from "./sessions.ts";

const AccountView = z.object({
  address: z.string(),
  public_key: z.string().nullable().meta({ description: "Hex; null for an address that is only watched" }),
  kind: z.enum(["derived", "imported", "watched"]),
  path: z.string().nullable(),
  label: z.string(),
});

/** What anybody with the listener's token may know of a wallet. */
export const WalletView = z.object({
  wallet_id: z.string(),
  public_key: z.string().meta({ description: "Public key of the first account, as hex" }),
  address: z.string(),
  accounts: z.array(AccountView),
  metadata: Metadata,
  unlocked: z.boolean(),
});
export type WalletView = z.infer<typeof WalletView>;

const access = "token";
const tag = "Wallets";
const params = z.object({ wallet_id: z.string().max(64) });
const LIMITED = `At most ${PASSWORD_CALLS} calls in ${PASSWORD_WINDOW_SECONDS} s for one wallet; wrong passwords make the next try wait. Both outlast a restart.`;

export const listWallets = walletRoute({
  method: "GET",
  path: "/v1/wallets",
  access,
  tag,
  summary: "The wallets of this daemon, by id",
  responses: {
    200: {
      description: "All of them",
      schema: z.object({
        items: z.array(WalletView),
        damaged: z
          .array(z.string())
          .meta({ description: "Ids of keystore files that cannot be read as such" }),
      }),
    },
  },
});

export const CreateWalletBody = z.strictObject({
  wallet_id: WalletId,
  password: Password,
  metadata: Metadata.default({}),
  secret_key: SecretKeyBase64.optional(),
});
export type CreateWalletBody = z.infer<typeof CreateWalletBody>;

/** Problem of a password that is too weak, with members that existing clients read. */
const WeakPasswordProblem = z.looseObject({
  reason: z.literal("password_too_weak"),
  min_length: z.int(),
  message: z.string(),
});

export const createWallet = walletRoute({
  method: "POST",
  path: "/v1/wallets",
  access,
  tag,
  summary: "Create a wallet, or take one over from its secret key",
  description: LIMITED,
  body: CreateWalletBody,
  responses: {
    201: { description: "The wallet", schema: z.object({ wallet: WalletView }) },
    400: {
      description: "The password is too weak",
      schema: WeakPasswordProblem,
      contentType: "application/problem+json",
    },
  },
});

export const getWallet = walletRoute({
  method: "GET",
  path: "/v1/wallets/:wallet_id",
  access,
  tag,
  summary: "One wallet",
  params,
  responses: { 200: { description: "The wallet", schema: z.object({ wallet: WalletView }) } },
});

/** Longest time that a session can ask for, in seconds; the configuration's limits are below it. */
const MAX_SESSION_SECONDS = 86_400;
const Seconds = z.int().min(1).max(MAX_SESSION_SECONDS);

export const UnlockBody = z.strictObject({
  password: Password,
  operations: z
    .array(z.enum(SESSION_OPERATIONS))
    .min(1)
    .max(SESSION_OPERATIONS.length)
    .default([...SESSION_OPERATIONS])
    .meta({ description: "What the session may do" }),
  max_amount_uait: AmountString.default("0").meta({
    description: "What all documents signed in the session may move together, in µAIT",
  }),
  idle_seconds: Seconds.optional().meta({ description: "At most, and by default, the configuration's" }),
  max_seconds: Seconds.optional().meta({ description: "At most, and by default, the configuration's" }),
});
export type UnlockBody = z.infer<typeof UnlockBody>;

export const Unlocked = z.object({
  wallet_id: z.string(),
  unlocked: z.literal(true),
  session: SessionView,
  session_token: z.string().meta({ description: "What signs in the session; shown only now" }),
});
export type Unlocked = z.infer<typeof Unlocked>;

export const unlockWallet = walletRoute({
  method: "POST",
  path: "/v1/wallets/:wallet_id/unlock",
  access,
  tag,
  summary: "Unlock a wallet: check its password, and open a session",
  description: LIMITED,
  params,
  body: UnlockBody,
  responses: { 200: { description: "The session", schema: Unlocked } },
});

export const lockWallet = walletRoute({
  method: "POST",
  path: "/v1/wallets/:wallet_id/lock",
  access,
  tag,
  summary: "End all sessions of a wallet, and kill the process that holds its keys",
  params,
  responses: {
    200: {
      description: "Locked, as it may have been before",
      schema: z.object({ wallet_id: z.string(), unlocked: z.literal(false) }),
    },
  },
});

/** What shows that the caller may sign: exactly one of the two. */
const Proof = {
  password: Password.optional(),
  session_token: z.string().min(1).max(128).optional().meta({ description: "Instead of the password" }),
};
type Proven = { readonly password?: string | undefined; readonly session_token?: string | undefined };
const hasOneProof = ({ password, session_token }: Proven): boolean =>
  (password === undefined) !== (session_token === undefined);
const ONE_PROOF = { message: "needs either password or session_token", path: ["password"] };

/** The account that signs; absent: the first. */
const Signer = { address: Address.optional() };

export const SignBody = z
  .strictObject({ ...Proof, ...Signer, message_base64: MessageBase64 })
  .refine(hasOneProof, ONE_PROOF);
export type SignBody = z.infer<typeof SignBody>;

export const SignDocumentBody = z
  .strictObject({
    ...Proof,
    ...Signer,
    realm: Sha256Hex.meta({
      description: "Where the signature counts: the genesis hash, or SHA-256 of a coordinator's public key",
    }),
    document: z.record(z.string().max(MAX_METADATA_NAME), z.json()).meta({
      description:
        "Texts of printable ASCII, whole numbers, true, false, lists and objects. Members `amount` and `amount_uait`, wherever they stand, count towards the session's `max_amount_uait`",
    }),
  })
  .refine(hasOneProof, ONE_PROOF);
export type SignDocumentBody = z.infer<typeof SignDocumentBody>;

export const Signed = z.object({
  wallet_id: z.string(),
  public_key: z.string(),
  signature_base64: z.string(),
});
export type Signed = z.infer<typeof Signed>;

export const signMessage = walletRoute({
  method: "POST",
  path: "/v1/wallets/:wallet_id/sign",
  access,
  tag,
  summary: "Sign a message",
  description: `${LIMITED} What could be read as a statement of this network (a tagged one, or a receipt) is refused.`,
  params,
  body: SignBody,
  responses: { 200: { description: "The Ed25519 signature", schema: Signed } },
});

export const signDocument = walletRoute({
  method: "POST",
  path: "/v1/wallets/:wallet_id/sign-document",
  access,
  tag,
  summary: "Sign a document, tagged so that it can be read as nothing else",
  description: LIMITED,
  params,
  body: SignDocumentBody,
  responses: {
    200: {
      description: "The Ed25519 signature over the document's sign-bytes, type document",
      schema: Signed,
    },
  },
});

export const WALLET_KEY_ROUTES = [
  listWallets,
  createWallet,
  getWallet,
  unlockWallet,
  lockWallet,
  signMessage,
  signDocument,
] as const;
