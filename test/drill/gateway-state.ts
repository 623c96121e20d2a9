/** Reads what an administrator sees of a gateway, through its API. */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { TraceEntry } from '../../shared/messages/trace-entry.ts'
import type { Api } from '../support/local/runner.ts'
import type { Entries, GatewayState } from './compare.ts'

/** Fields of a recipient that is deferred or pending. */
const waitingFields = ['state', 'verdict', 'until', 'givenUpAt', 'firstHeld', 'requirement'] as const

export async function readState(api: Api): Promise<GatewayState> {
  const messages = await listAll<TraceEntry>(api, '/messages')
  return {
    configuration: { '/configuration': await api.call('GET', '/configuration') },
    'accepted domains': byKey(await listAll(api, '/accepted-domains'), 'domain'),
    'inbound connectors': byKey(await listAll(api, '/inbound-connectors'), 'id'),
    'outbound connectors': byKey(await listAll(api, '/outbound-connectors'), 'id'),
    'waiting recipients': Object.fromEntries(messages.flatMap(waitingRecipients)),
    'message traces': byKey(messages as unknown as Record<string, unknown>[], 'id'),
  }
}

/** Reads the state when no message is on its way: no recipient is pending, and each bounce has its DSN delivered. */
export async function readQuietState(api: Api): Promise<GatewayState> {
  for (;;) {
    const state = await readState(api)
    const messages = Object.values(state['message traces'] ?? {}) as TraceEntry[]
    const areSettled = messages.flatMap(({ recipients }) => recipients).every(isSettled)
    await delay(300)
    if (areSettled && isDeepStrictEqual(await readState(api), state)) return state
  }
}

const isSettled = ({ state, notifications }: TraceEntry['recipients'][number]): boolean =>
  state === 'Bounced'
    ? notifications.length > 0 && notifications.every((dsn) => dsn.state === 'Delivered')
    : state !== 'Pending'

const waitingRecipients = ({ id, recipients }: TraceEntry): [string, unknown][] =>
  recipients
    .filter(({ state }) => state === 'Deferred' || state === 'Pending')
    .map((recipient) => [
      `${id} ${recipient.address}`,
      Object.fromEntries(waitingFields.map((name) => [name, recipient[name]])),
    ])

async function listAll<T = Record<string, unknown>>(api: Api, path: string): Promise<T[]> {
  const items: T[] = []
  let cursor = ''
  do {
    const query = `?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
    const page = await api.call<{ items: T[]; nextCursor: string | null }>('GET', `${path}${query}`)
    items.push(...page.items)
    cursor = page.nextCursor ?? ''
  } while (cursor !== '')
  return items
}

const byKey = (items: readonly Record<string, unknown>[], key: string): Entries =>
  Object.fromEntries(items.map((item) => [String(item[key]), item]))
