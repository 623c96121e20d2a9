/** What the evaluation queue is told of an accepted message. */
import { type EvaluationJob, inParts } from '../../../shared/contract/jobs.ts'
import type { ContentReference, Message, Recipient } from '../../../shared/contract/message.ts'

/** A message before it has a place. */
export type Unstored = Omit<Message, 'content' | 'size'>

export interface Accepted {
  message: Unstored
  recipients: readonly Recipient[]
  /** The octets still to be stored, or where a large message already is. */
  content: Buffer | ContentReference
}

/** As many jobs as it takes for each to fit a queue message. */
export function jobsFor({ message, recipients }: Accepted, content: ContentReference): EvaluationJob[] {
  const stored = { ...message, size: content.length, content }
  return inParts(recipients).map((part) => ({ message: stored, recipients: part, notBefore: null }))
}
