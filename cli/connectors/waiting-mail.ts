/** Mail that waits under outbound connectors which a plan lowers, and what the user chooses for it. */
import * as z from 'zod'
import type { OutboundConnector, OutboundConnectorInput } from '../../shared/connectors/schema.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import { type FieldChange, weakenedRequirements } from '../../shared/policy/change-effects.ts'
import { type LoweredField, loweredByChange } from '../../shared/policy/kept-requirement.ts'
import { isViolationReason } from '../../shared/policy/reasons.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import type { Io } from '../command.ts'
import { CommandError, UsageError } from '../command-error.ts'
import { printable } from '../text/format.ts'
import { inboundConnectors, outboundConnectors } from './entry-kinds.ts'
import type { Change } from './plan-changes.ts'

const choices = ['hold', 'return'] as const
export type WaitingChoice = (typeof choices)[number]

export const waitingOption = {
  waiting: {
    type: 'string',
    value: 'CHOICE',
    description: 'what to do with mail that waits under a lowered connector: hold or return',
  },
} as const

/** A change that lowers the requirement of an outbound connector. */
export interface LoweringChange {
  readonly change: Change & { readonly kind: 'Replace' | 'Remove' }
  readonly lowered: readonly LoweredField[]
  /** Number of messages that wait under the connector, at most `maxCounted`. */
  readonly messages: number
}

/** More messages are counted as this number. */
const maxCounted = 100
/** A message waits for a day at most; twice that time covers delays. */
const maxWaitMs = 2 * dayMs

export async function findLoweringChanges(
  api: ApiClient,
  changes: readonly Change[],
  now: number,
): Promise<LoweringChange[]> {
  const found: LoweringChange[] = []
  for (const change of changes) {
    if (change.entryKind !== outboundConnectors) continue
    if (change.kind !== 'Replace' && change.kind !== 'Remove') continue
    const before = { ...change.current.fields, id: change.current.id } as unknown as OutboundConnector
    const after =
      change.kind === 'Replace' ? (change.desired.fields as unknown as OutboundConnectorInput) : null
    const lowered = loweredByChange(before, after)
    if (lowered.length > 0)
      found.push({
        change,
        lowered,
        messages: await countDeferred(api, change.current.id, now),
      })
  }
  return found
}

async function countDeferred(api: ApiClient, connector: string | null, now: number): Promise<number> {
  let count = 0
  for await (const _ of deferredMessages(api, connector, now, z.unknown())) count++
  return count
}

/** Yields at most `maxCounted` messages. */
async function* deferredMessages<T>(
  api: ApiClient,
  connector: string | null,
  now: number,
  message: z.ZodType<T>,
): AsyncGenerator<T> {
  const query = { state: 'Deferred', connector, from: new Date(now - maxWaitMs).toISOString() }
  let count = 0
  for await (const found of api.list(message, '/messages', query, maxCounted)) {
    yield found
    if (++count === maxCounted) return
  }
}

/** An inbound connector that holds mail, and that a plan changes or removes. */
export interface HeldMail {
  readonly connector: string
  /** Ids of messages, at most `maxCounted`. */
  readonly messages: readonly string[]
  /** Whether the change lowers the requirement, so that the mail may be delivered. */
  readonly isLowered: boolean
}

const Recipient = z.looseObject({ verdict: z.looseObject({ reason: z.string() }).nullable() })
const DeferredMessage = z.looseObject({ id: z.string(), recipients: z.array(Recipient) })

export async function findHeldMail(
  api: ApiClient,
  changes: readonly Change[],
  now: number,
): Promise<HeldMail[]> {
  const found: HeldMail[] = []
  for (const change of changes) {
    if (change.entryKind !== inboundConnectors) continue
    if (change.kind !== 'Replace' && change.kind !== 'Remove') continue
    const messages: string[] = []
    for await (const message of deferredMessages(api, change.current.id, now, DeferredMessage))
      if (message.recipients.some(({ verdict }) => isViolationReason(verdict?.reason ?? '')))
        messages.push(message.id)
    const isLowered = change.kind === 'Remove' || weakenedRequirements(change.fields).length > 0
    if (messages.length > 0) found.push({ connector: change.current.label, messages, isLowered })
  }
  return found
}

const maxIdsInText = 3

/** Names the messages by id, because a command cannot name a removed connector. */
export function heldText({ connector, messages, isLowered }: HeldMail): string {
  const [first] = messages
  const more = messages.length > maxIdsInText ? ', …' : ''
  const ids = `${messages.slice(0, maxIdsInText).join(', ')}${more}`
  return [
    `Inbound connector "${printable(connector)}" holds ${countOf(messages.length)} (${ids}), decided again at the next retry.`,
    isLowered
      ? `  ${messages.length === 1 ? 'It is' : 'They are'} then delivered, unless the remaining rules forbid it. To return mail to its sender instead, before this change:`
      : '  To decide now, after this change:',
    `  npx mailflow ${isLowered ? 'messages return' : 'retry'} ${first}`,
  ].join('\n')
}

export function waitingText({ change, lowered, messages }: LoweringChange): string {
  const effect =
    change.kind === 'Remove'
      ? 'which is removed'
      : `which is lowered (${loweredText(change.fields, lowered)})`
  return `${countOf(messages)} ${messages === 1 ? 'waits' : 'wait'} under outbound connector "${printable(change.current.label)}", ${effect}`
}

const countOf = (messages: number): string =>
  messages === maxCounted ? `${maxCounted} or more messages` : countText(messages, 'message')

const loweredText = (changes: readonly FieldChange[], lowered: readonly LoweredField[]): string =>
  lowered
    .map((field) => {
      if (field !== 'connector') return field
      return changes.some((change) => change.field === 'enabled') ? 'disabled' : 'a domain fewer'
    })
    .join(', ')

/** @throws UsageError for any other text */
export function parseWaitingChoice(text: string | undefined): WaitingChoice | undefined {
  if (text === undefined) return undefined
  const choice = choices.find((known) => known === text)
  if (choice !== undefined) return choice
  throw new UsageError(`--waiting ${text}: not a choice; the choices are ${choices.join(', ')}`)
}

/**
 * Returns the choice for each change, and asks the user on a terminal where the option is missing.
 * @throws CommandError when mail waits, the option is missing, and there is no terminal
 */
export async function chooseForWaiting(
  loweringChanges: readonly LoweringChange[],
  option: WaitingChoice | undefined,
  io: Io,
): Promise<ReadonlyMap<Change, WaitingChoice>> {
  const chosen = new Map<Change, WaitingChoice>()
  for (const lowering of loweringChanges) {
    const choice = option ?? (lowering.messages === 0 ? undefined : await choose(lowering, io))
    if (choice !== undefined) chosen.set(lowering.change, choice)
  }
  return chosen
}

const choicesText = 'hold (it keeps its requirement) or return (it bounces now)'

async function choose(lowering: LoweringChange, io: Io): Promise<WaitingChoice> {
  const text = waitingText(lowering)
  if (io.prompt === undefined)
    throw new CommandError(`${text}; give --waiting hold or return. Nothing was written`)
  const answer = (await io.prompt(`${text}.\n${choicesText}? `)).trim()
  const choice = choices.find((known) => known === answer)
  if (choice !== undefined) return choice
  throw new CommandError(`"${answer}" is not hold or return. Nothing was written`)
}
