/** What is told to whoever listens on the account's event bus when a partner changes its certificate. */
import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import type { ObservedChange, ObservedPlace } from '../tls/observed/observation.ts'

export const changeEventSource = 'mailflow'
export const changeEventType = 'Partner Certificate Changed'

/** @throws when it is not taken before the signal */
export type TellChange = (place: ObservedPlace, change: ObservedChange, signal: AbortSignal) => Promise<void>

/** Tells the default event bus of the account, in this Region. */
export const changeTeller =
  (events: Pick<EventBridgeClient, 'send'>): TellChange =>
  async (place, change, abortSignal) => {
    const entry = {
      Source: changeEventSource,
      DetailType: changeEventType,
      Time: new Date(change.at),
      Detail: JSON.stringify({ ...place, ...change }),
    }
    const answer = await events.send(new PutEventsCommand({ Entries: [entry] }), { abortSignal })
    // A batch is answered 200 whatever became of its entries.
    const failed = answer.Entries?.find(({ ErrorCode }) => ErrorCode !== undefined)
    if (failed) throw new Error(`${failed.ErrorCode}: ${failed.ErrorMessage}`)
  }
