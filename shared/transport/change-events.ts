/** The event on the account's event bus that reports a partner's changed certificate. */
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { stackName } from '../lambda/stack-name.ts'
import type { ObservedChange, ObservedEndpoint } from '../tls/observed/observation.ts'

export const changeEventSource = 'mailflow'
export const changeEventType = 'Partner Certificate Changed'

/** @throws when EventBridge does not accept the event before the signal aborts */
export type PublishChange = (
  endpoint: ObservedEndpoint,
  change: ObservedChange,
  signal: AbortSignal,
) => Promise<void>

/** Publishes to the account's default event bus in this Region. */
export const createChangePublisher =
  (events: Pick<EventBridgeClient, 'send'>): PublishChange =>
  async (endpoint, change, abortSignal) => {
    const entry = {
      Source: changeEventSource,
      DetailType: changeEventType,
      Time: new Date(change.at),
      Detail: JSON.stringify({ stack: stackName, ...endpoint, ...change }),
    }
    const response = await events.send(new PutEventsCommand({ Entries: [entry] }), { abortSignal })
    // PutEvents responds with 200 even when it refuses an entry.
    const failedEntry = response.Entries?.find(({ ErrorCode }) => ErrorCode !== undefined)
    if (failedEntry) throw new Error(`${failedEntry.ErrorCode}: ${failedEntry.ErrorMessage}`)
  }
