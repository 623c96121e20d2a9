/**
 * Events of the changes of connectors and accepted domains. They are not on the queue: a change writes its item in the
 * connectors table in the same transaction, so the events of an hour are exactly the items of that hour.
 */
import type { Change } from '../../shared/connectors-table/change-log.ts'
import type { MailEvent } from '../../shared/contract/events.ts'
import { createEvent } from '../../shared/events/create-event.ts'

export function changeEvent({ version, at, actor, kind, key, before, after }: Change): MailEvent {
  return createEvent('ConfigurationChanged', ['change', version], {
    at,
    actor,
    resource: `/${kind}s/${key}`,
    connectorsVersion: version,
    ...(kind === 'inbound-connector' && { inboundConnector: key }),
    ...(kind === 'outbound-connector' && { outboundConnector: key }),
    ...(before && { before: JSON.stringify(before) }),
    ...(after && { after: JSON.stringify(after) }),
  })
}
