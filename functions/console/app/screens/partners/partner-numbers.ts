/** The numbers and texts of a partner's page, from the answers of the API. Pure. */
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { ChangeEntry, Report } from '../../api/types.ts'
import type { ConnectorDirection } from './connector-text.ts'
import type { Pair } from './partner-pairs.ts'
import { lastMailOf, messagesOf, sumOf } from './partner-rows.ts'

const dayMs = 86_400_000

/** The first moment of the days up to today, UTC. */
export const firstDay = (now: number, days: number): string =>
  new Date(Math.floor(now / dayMs) * dayMs - (days - 1) * dayMs).toISOString()

/** The filters of reports that together find the mail of a pair. */
export function scopesOf({ kind, domains, inbound, outbound }: Pair): Record<string, string>[] {
  const [domain] = domains
  if (kind === 'Partner' && domains.length === 1 && domain !== undefined && !domain.startsWith('*'))
    return [{ partner: domain }]
  return [inbound, outbound].flatMap((connector) => (connector === null ? [] : [{ connector: connector.id }]))
}

export interface DirectionNumbers {
  direction: 'Inbound' | 'Outbound'
  tls13: number
  tls12: number
  inClear: number
  unknown: number
  postQuantum: number
  refused: number
  volume: number
  /** ISO 8601; null: none in the period. */
  lastMail: string | null
}

const columns = ['tls13', 'tls12', 'inClear', 'unknown', 'postQuantum', 'refused', 'volume'] as const

export const directionNumbers = (rows: Report['rows']): DirectionNumbers[] =>
  (['Inbound', 'Outbound'] as const).map((direction) => {
    const ofDirection = rows.filter((row) => row.direction === direction)
    const sums = Object.fromEntries(columns.map((column) => [column, sumOf(ofDirection, column)]))
    return {
      direction,
      ...(sums as Record<(typeof columns)[number], number>),
      lastMail: lastMailOf(ofDirection),
    }
  })

const numberText = (count: number, singular: string): string =>
  `${new Intl.NumberFormat(undefined).format(count)} ${singular}${count === 1 ? '' : 's'}`

/**
 * Says how much mail a change of a connector concerns.
 * @param rows of the report `connector-tls` for the pair and these days
 */
export function mailCountText(
  pair: Pair,
  direction: ConnectorDirection,
  rows: Report['rows'],
  days: number,
): string {
  const isInbound = direction === 'inbound'
  const partner = scopesOf(pair)[0]?.partner
  const ofDirection = rows.filter((row) => row.direction === (isInbound ? 'Inbound' : 'Outbound'))
  const refused = sumOf(ofDirection, 'refused')
  const scope = partner === undefined ? ' under this connector' : ` ${isInbound ? 'from' : 'to'} ${partner}`
  const count = messagesOf(ofDirection)
  const verb = isInbound ? 'came' : `${count === 1 ? 'was' : 'were'} delivered`
  const messages = `${numberText(count, 'message')} ${verb}${scope}`
  const refusedText = isInbound
    ? `connectors refused ${numberText(refused, 'message')}`
    : `${numberText(refused, 'attempt')} did not get the required TLS`
  return `In the last ${days} days, ${messages}${refused > 0 ? `; ${refusedText}` : ''}.`
}

export interface Refusals {
  reason: string
  replies: string[]
  count: number
  /** The last day with a refusal. */
  day: string
}

/** Refusals by reason, the most frequent first. */
export function refusalsByReason(rows: Report['rows']): Refusals[] {
  return [...Map.groupBy(rows, ({ reason }) => String(reason))]
    .map(([reason, group]) => ({
      reason,
      replies: [...new Set(group.flatMap(({ reply }) => (reply ? [String(reply)] : [])))],
      count: sumOf(group, 'count'),
      day:
        group
          .map(({ date }) => String(date))
          .sort()
          .at(-1) ?? '',
    }))
    .sort((a, b) => b.count - a.count)
}

/** The address of the refused mail of a day in the message trace. */
export function refusedMailPath(scope: Record<string, string>, day: string): string {
  const from = Date.parse(`${day}T00:00:00Z`)
  const query = new URLSearchParams({
    state: 'Rejected',
    ...(scope.partner !== undefined && { domain: scope.partner }),
    ...(scope.connector !== undefined && { connector: scope.connector }),
    from: new Date(from).toISOString(),
    to: new Date(from + dayMs).toISOString(),
  })
  return `/messages?${query}`
}

const reasonTexts: Readonly<Record<string, string>> = {
  InboundTlsRequired: 'The client did not use TLS, which the connector requires.',
  InboundTlsVersion: 'The TLS version is below the connector’s minimum.',
  InboundCertificateRestriction: 'The client did not present a certificate that the connector lists.',
  InboundAddressRestriction: 'The client’s address is not one that the connector lists.',
  InboundDmarcRequired: 'The mail did not pass DMARC, which the connector requires.',
  RelayDenied: 'The recipient is outside the accepted domains, and the client may not relay.',
  UnknownRecipient: 'The recipient does not exist.',
  TlsHandshakeOldProtocol: 'The client supports at most TLS 1.1.',
  TlsHandshakeNoSharedCipher:
    'The client and the gateway have no cipher, group or signature algorithm in common.',
  TlsHandshakeCertificateRefused: 'The client did not accept the certificate of the gateway.',
  TlsHandshakeAlert: 'The client ended the TLS handshake.',
}

/** A sentence about a reason; null for a reason that its name explains. */
export const reasonText = (reason: string): string | null => reasonTexts[reason] ?? null

export interface FieldChangeText {
  field: string
  from: string
  to: string
}

/** The fields that a change changed. Of a created or deleted connector there are none: all of them changed. */
export function changedFields({ action, before, after }: ChangeEntry): FieldChangeText[] {
  if (action !== 'Changed') return []
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
  return fields.map((field) => ({
    field,
    from: valueText(field, before?.[field]),
    to: valueText(field, after?.[field]),
  }))
}

/** A value of a field for people: a list with commas, certificates as their number. */
export function valueText(field: string, value: unknown): string {
  if (value === undefined || value === null) return 'none'
  if (value === '') return 'empty'
  if (field === 'certificateAuthorities' && Array.isArray(value))
    return value.length === 0 ? 'the public authorities' : countText(value.length, 'authority', 'authorities')
  if (Array.isArray(value))
    return value.length === 0 ? 'none' : value.map((item) => valueText('', item)).join(', ')
  if (typeof value === 'object' && 'host' in value && 'port' in value) return `${value.host}:${value.port}`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Fields that a page shows elsewhere, or that say nothing about mail. */
const hiddenFields = ['name', 'createdAt', 'updatedAt', 'validation', 'comment', 'warnings']

/** The fields of a connector with their values. */
export const fieldTexts = (connector: object): { field: string; value: string }[] =>
  Object.entries(connector)
    .filter(([field]) => !hiddenFields.includes(field))
    .map(([field, value]) => ({ field, value: valueText(field, value) }))
