/** What the evaluation queue is told of an accepted message. */
import { type EvaluationJob, recipientsPerJob } from '../../shared/contract/jobs.ts'
import type { ContentReference, Message, Recipient } from '../../shared/contract/message.ts'

/** A message before it has a place. */
export type Unstored = Omit<Message, 'content' | 'size'>

export interface Accepted {
  message: Unstored
  recipients: readonly Recipient[]
  /** The octets still to be stored, or where a large message already is. */
  content: Buffer | ContentReference
}

/**
 * One job for every hundred recipients. With every bound that the ingress puts on addresses, parameters and
 * certificates reached at once, a job stays below the 256 KiB of a queue message.
 */
export function jobsFor({ message, recipients }: Accepted, content: ContentReference): EvaluationJob[] {
  const stored = { ...message, size: content.length, content }
  const jobs: EvaluationJob[] = []
  for (let from = 0; from < recipients.length; from += recipientsPerJob)
    jobs.push({
      message: stored,
      recipients: recipients.slice(from, from + recipientsPerJob),
      notBefore: null,
    })
  return jobs
}
