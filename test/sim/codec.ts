/** Messages as the texts that nodes send, so that the simulation reads and damages what a wire would carry. */
import { type Block, formatBlock, parseBlock } from "../../src/domain/consensus/block.ts";
import {
  type Certificate,
  formatCertificate,
  parseCertificate,
} from "../../src/domain/consensus/certificate.ts";
import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import { formatProposal, parseProposal } from "../../src/domain/consensus/proposal.ts";
import { formatVote, parseVote } from "../../src/domain/consensus/vote.ts";
import { AppError } from "../../src/kernel/errors.ts";

const MAX_BLOCK_BYTES = 1024 * 1024;

/** Turns a document's text into the text that arrives. */
export type Carry = (text: string) => string;

/** The message as it is read at the other end, or undefined when the reader refuses it. Statuses are not signed. */
export function carried(message: ConsensusMessage, carry: Carry): ConsensusMessage | undefined {
  try {
    return carriedParts(message, carry);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

function carriedParts(message: ConsensusMessage, carry: Carry): ConsensusMessage {
  const certificate = (one: Certificate): Certificate => parseCertificate(carry(formatCertificate(one)));
  const block = (one: Block): Block => parseBlock(carry(formatBlock(one)), MAX_BLOCK_BYTES);
  switch (message.type) {
    case "status":
      return message;
    case "vote":
      return { ...message, vote: parseVote(carry(formatVote(message.vote))) };
    case "proof":
      return { ...message, certificate: certificate(message.certificate) };
    case "block":
      return { ...message, block: block(message.block) };
    case "final_block":
      return { ...message, block: block(message.block), certificate: certificate(message.certificate) };
    case "proposal":
      return {
        ...message,
        proposal: parseProposal(carry(formatProposal(message.proposal))),
        block: block(message.block),
        proof: message.proof && certificate(message.proof),
      };
  }
}
