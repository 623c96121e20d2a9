/** The dry run of a draft: its request, and its result in words. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { DryRun } from '../../api/types.ts'
import type { ConnectorDirection } from '../partners/connector-text.ts'
import { type Body, type Connector, savedFields } from './draft.ts'

export interface DryRunRequest {
  direction: ConnectorDirection
  /** Null for a new connector. */
  base: Connector | null
  body: Body
  /** Whether it is tried as enforced, because a stage before that changes little. */
  isEnforced: boolean
}

/** A connector of the request replaces the one of the same name. A renamed one also replaces itself. */
export function dryRunInput({ direction, base, body, isEnforced }: DryRunRequest) {
  const connector = {
    ...savedFields(direction, base, body),
    ...(isEnforced && { enabled: true, mode: 'Enforce' }),
  }
  const isRenamed = base !== null && base.name.toLowerCase() !== String(body.name).toLowerCase()
  return {
    [direction === 'inbound' ? 'inboundConnectors' : 'outboundConnectors']: [connector],
    ...(isRenamed && { deleted: [base.id] }),
  }
}

export function dryRunSummary({ considered, same, different, undetermined }: DryRun): string {
  if (considered === 0)
    return 'No mail of these days concerns this connector, so the dry run says nothing about it.'
  const total = `${countText(considered, 'recipient or refusal', 'recipients and refusals')}`
  return `${total}: ${same} decided the same, ${sum(different)} otherwise, ${sum(undetermined)} cannot be told.`
}

const sum = (entries: readonly { count: number }[]): number =>
  entries.reduce((total, { count }) => total + count, 0)

type Outcome = DryRun['different'][number]['before']

const outcomeTexts: Readonly<Record<Outcome['outcome'], string>> = {
  Refused: 'refused in the session',
  Held: 'held',
  Bounced: 'bounced',
  Deferred: 'deferred, other attempts follow',
  Delivered: 'delivered',
  Sent: 'sent; the end of the attempt is not known',
  Undetermined: 'cannot be told',
}

/** The outcome in a sentence, and what decided it. */
export const outcomeText = ({ outcome }: Outcome): string => outcomeTexts[outcome]

export const outcomeDetails = ({ reason, connector, level, tlsResult }: Outcome): string =>
  [reason, tlsResult, level, connector === null ? null : `“${connector}”`]
    .filter((detail) => detail !== null)
    .join(', ')
