/**
 * What a write of an outbound connector does with the mail that waits under it. Without a choice, a write that lowers
 * the connector's requirement is refused while mail waits. The count may be a moment old: what protects the mail is the
 * requirement that each recipient keeps.
 */
import * as z from 'zod'
import type { OutboundConnectorInput } from '../../shared/connectors/schema.ts'
import type { OutboundConnectors } from '../../shared/connectors-table/repository.ts'
import type { ExpectedVersions } from '../../shared/contract/expected-versions.ts'
import { Problem } from '../../shared/http-api/problem.ts'
import { loweredByChange } from '../../shared/policy/kept-requirement.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import {
  countWaiting,
  type RequestedMail,
  requestForConnector,
  type SelectionDependencies,
} from './mail-selection.ts'
import type { MailRequest } from './waiting-mail.ts'

const WaitingChoice = z.enum(['hold', 'return'])
export type WaitingChoice = z.infer<typeof WaitingChoice>

export const WaitingChoiceQuery = z.strictObject({
  waiting: WaitingChoice.optional().describe(
    'mail that waits under the connector, if the change lowers its requirement; required while such mail waits. hold: it keeps the requirement; return: it bounces',
  ),
})

export interface WaitingMailOfChange {
  /**
   * @param after null when the connector is deleted
   * @returns whether the change lowers the requirement
   * @throws Problem 409 when it does, mail waits, and there is no choice
   */
  check(change: {
    id: string
    after: OutboundConnectorInput | null
    expected: ExpectedVersions
    choice: WaitingChoice | undefined
  }): Promise<boolean>
  /** Call this function after the change. */
  request(id: string, mailRequest: MailRequest): Promise<RequestedMail<unknown>>
}

function waitingText(messages: number, isComplete: boolean): string {
  if (messages === 0) return 'Mail may wait'
  return `${isComplete ? '' : 'At least '}${countText(messages, 'message')} ${messages === 1 ? 'waits' : 'wait'}`
}

export const waitingMailOfChange = (
  outbound: Pick<OutboundConnectors, 'get'>,
  dependencies: SelectionDependencies,
): WaitingMailOfChange => ({
  async check({ id, after, expected, choice }) {
    const before = await outbound.get(id)
    // The write itself answers 404 or 412.
    if (before === null || !(expected === 'any' || expected.includes(before.version))) return false
    const lowered = loweredByChange(before, after)
    if (lowered.length === 0) return false
    if (choice !== undefined) return true
    const { messages, isComplete } = await countWaiting({ direction: 'outbound', id }, dependencies)
    if (messages === 0 && isComplete) return true
    const change = after === null ? 'deletion removes' : `change lowers (${lowered.join(', ')})`
    throw new Problem(
      409,
      `${waitingText(messages, isComplete)} under the requirement that this ${change}. Repeat the request with ?waiting=hold or return.`,
      { errors: [{ path: 'waiting', message: 'is missing' }] },
    )
  },
  request: (id, mailRequest) =>
    requestForConnector({ direction: 'outbound', id }, null, mailRequest, dependencies),
})
