/** The filters of the message trace: what the address of the view has, and what the API gets. Pure. */
import type { ViewState } from '../../use-view-state.ts'
import { parseSize } from '../message/octets.ts'
import { fromTheStart, periodOf, readRange } from './time-range.ts'

/** The parameters of the API that a person may filter by, in the order of the suggestions. */
export const filterKeys = [
  'sender',
  'recipient',
  'domain',
  'state',
  'messageId',
  'clientIp',
  'connector',
  'direction',
  'tlsVersion',
  'minSize',
] as const
export type FilterKey = (typeof filterKeys)[number]

export const filterLabels: Readonly<Record<FilterKey, string>> = {
  sender: 'Sender',
  recipient: 'Recipient',
  domain: 'Domain of sender or recipient',
  state: 'State',
  messageId: 'Message-ID',
  clientIp: 'Client IP address',
  connector: 'Connector',
  direction: 'Direction',
  tlsVersion: 'TLS version of the client',
  minSize: 'Size',
}

export const filterValues: Readonly<Partial<Record<FilterKey, Readonly<Record<string, string>>>>> = {
  state: {
    Pending: 'Pending: being decided or delivered',
    Deferred: 'Deferred: waits for a later attempt, or is held',
    Delivered: 'Delivered',
    Bounced: 'Bounced: the delivery has ended',
    Rejected: 'Rejected: refused in the session',
  },
  direction: {
    Originating: 'Originating: from the organisation',
    Incoming: 'Incoming: from outside',
  },
  tlsVersion: { None: 'None: in the clear', 'TLSv1.2': 'TLSv1.2', 'TLSv1.3': 'TLSv1.3' },
}

export type Filters = Readonly<Partial<Record<FilterKey, string>>>

export const filtersOf = (state: ViewState): Filters =>
  Object.fromEntries(filterKeys.flatMap((key) => (state[key] === undefined ? [] : [[key, state[key]]])))

/** The change of the address that shows these filters, from the first page on. */
export const toViewChange = (filters: Filters): Record<string, string> => ({
  ...Object.fromEntries(filterKeys.map((key) => [key, filters[key] ?? ''])),
  ...fromTheStart,
})

export interface FilterToken {
  propertyKey?: string
  operator: string
  value: unknown
}

export const toTokens = (filters: Filters): FilterToken[] =>
  filterKeys.flatMap((propertyKey) => {
    const value = filters[propertyKey]
    return value === undefined ? [] : [{ propertyKey, operator: operatorOf(propertyKey), value }]
  })

export const operatorOf = (key: FilterKey): '>=' | '=' => (key === 'minSize' ? '>=' : '=')

/**
 * The API has one value of each filter, so the later of two tokens counts. Text without a filter's name gets the filter
 * that fits it; a second address is the sender.
 */
export function fromTokens(tokens: readonly FilterToken[]): Filters {
  const filters: Partial<Record<string, string>> = {}
  for (const { propertyKey, value } of tokens) {
    const text = String(value ?? '').trim()
    if (text === '') continue
    const key = propertyKey ?? filterOfText(text, filters.recipient !== undefined)
    if (key === 'minSize') filters[key] = parseSize(text)
    else filters[key] = key === 'domain' ? (domainOfWildcard(text) ?? text) : text
  }
  return filters
}

function filterOfText(text: string, hasRecipient: boolean): FilterKey {
  if (/^<.+>$/.test(text)) return 'messageId'
  if (/^[0-9.]+$|^[0-9a-f]*:[0-9a-f:.]+$/i.test(text)) return 'clientIp'
  if (domainOfWildcard(text) !== null) return 'domain'
  if (text.includes('@')) return hasRecipient ? 'sender' : 'recipient'
  return 'domain'
}

/** All addresses of a domain: `*@bank.example` or `@bank.example`. */
const domainOfWildcard = (text: string): string | null => /^\*?@([^@\s*,;]+)$/.exec(text)?.[1] ?? null

/** Filters that compare whole texts. */
const wholeTexts = ['sender', 'recipient', 'domain'] as const

/** @returns why a filter finds nothing, though mail may exist */
export const filterHints = (filters: Filters): string[] =>
  wholeTexts.flatMap((key) => {
    const value = filters[key]
    if (value === undefined || value === '<>') return []
    const label = filterLabels[key]
    if (/[\s,;]/.test(value)) return [`${label}: one value only, not a list.`]
    if (value.includes('*')) return [`${label}: no wildcards. All addresses of a domain: choose the domain.`]
    if (/^@|@$/.test(value)) return [`${label}: a whole address, or the domain.`]
    if (key === 'domain' && !value.includes('.') && !isMessageId(value))
      return [`${label}: a whole domain, as bank.example.`]
    return []
  })

/** An id of this gateway (ULID). */
export const isMessageId = (text: string): boolean => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(text)

/** The parameters of `GET /messages`, and the fields of `POST /message-searches` without `to`. */
export const apiQuery = (state: ViewState, now: number): Record<string, string | undefined> => ({
  ...periodOf(readRange(state), now),
  ...filtersOf(state),
})

/** The body of `POST /message-searches`. It always has a period, which the result is shown with. */
export function searchInput(state: ViewState, now: number): Record<string, string | number> {
  const { minSize, ...query } = apiQuery(state, now)
  const to = query.to ?? new Date(now).toISOString()
  const given = Object.entries({ ...query, to }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return { ...Object.fromEntries(given), ...(minSize !== undefined && { minSize: Number(minSize) }) }
}
