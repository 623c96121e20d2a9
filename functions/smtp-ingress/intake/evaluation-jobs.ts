/** Builds the evaluation jobs of an accepted message. */
import { type EvaluationJob, splitForJobs } from '../../../shared/contract/jobs.ts'
import type { ContentReference, Message, Recipient } from '../../../shared/contract/message.ts'

/** A message whose content is not stored yet. */
export type MessageWithoutContent = Omit<Message, 'content' | 'size'>

export interface AcceptedMessage {
  message: MessageWithoutContent
  recipients: readonly Recipient[]
  /** Octets to store, or the reference to a large message's stored object. */
  content: Buffer | ContentReference
}

/** Splits recipients so that each job fits one SQS message. */
export function buildEvaluationJobs(
  { message, recipients }: AcceptedMessage,
  content: ContentReference,
): EvaluationJob[] {
  const stored = { ...message, size: content.length, content }
  const parts = splitForJobs(recipients)
  const recipientsInAll = parts.length > 1 && { recipientsInAll: recipients.length }
  return parts.map((part) => ({ message: stored, recipients: part, notBefore: null, ...recipientsInAll }))
}
