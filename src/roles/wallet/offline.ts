/** The wallet without its daemon: keystore files, and signing with them. It brings no database and no HTTP. */
export { createFileKeystore } from "./keystore/create-keystore.ts";
export { runSignerChild } from "./signer/child.ts";
export { AccountSigner } from "./signing/account-signer.ts";
export { printableText } from "./signing/printable.ts";
export { checkRawMessage } from "./signing/raw-message.ts";
