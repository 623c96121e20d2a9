/**
 * Records the arrival of a canary, which goes to no next hop. The ingress has compared its id with the last canary that
 * was sent. A canary counts once, and not after a later one: a copy or a repeated job must not show that mail passes.
 */
import { errorMessage } from '../../shared/contract/error-message.ts'
import type { Message } from '../../shared/contract/message.ts'
import { canaryIdOf, canarySentAt } from '../../shared/mail/canary-address.ts'
import { reply } from '../../shared/mail/reply.ts'
import { fieldsWithoutSession, type OutboundMessage, type Outcomes } from '../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import type { CanaryTable } from '../../shared/transport/canary-table.ts'

export interface CanaryDependencies {
  canaries: Pick<CanaryTable, 'recordArrival'>
  hostname: string
  now(): Date
}

export type CanaryResult =
  /** `seconds`: from the beginning of its sending. */
  | { kind: 'Counted'; seconds: number }
  | { kind: 'Ignored' }
  /** The job is retried. */
  | { kind: 'Failed'; why: string }

/** Never throws. */
export async function receiveCanary(
  { canary = '' }: Pick<Message, 'canary'>,
  { canaries, hostname, now }: CanaryDependencies,
): Promise<CanaryResult> {
  const arrivedAt = now()
  const id = canaryIdOf(canary, hostname)
  if (id === null) return { kind: 'Ignored' }
  try {
    if (!(await canaries.recordArrival(id))) return { kind: 'Ignored' }
    return { kind: 'Counted', seconds: Math.max(0, arrivedAt.getTime() - canarySentAt(id).getTime()) / 1000 }
  } catch (error) {
    return { kind: 'Failed', why: errorMessage(error) }
  }
}

export function outcomesOfCanary(
  result: CanaryResult,
  { recipients }: Pick<OutboundMessage, 'recipients'>,
): Outcomes {
  const attemptResult =
    result.kind === 'Failed'
      ? {
          outcome: 'TemporaryFailure' as const,
          reply: reply(451, '4.3.0', 'The arrival of the canary cannot be recorded now'),
        }
      : { outcome: 'Delivered' as const, reply: reply(250, '2.0.0', texts[result.kind]) }
  const outcome = { ...fieldsWithoutSession(opportunistic), policySource: null, host: null, ...attemptResult }
  return new Map(recipients.map(({ address }) => [address, outcome]))
}

const texts = { Counted: 'The canary has arrived', Ignored: 'Ignored: the canary was counted before' }
