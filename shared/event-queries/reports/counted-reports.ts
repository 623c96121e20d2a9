/** The reports that are counted from rollups. Pure. */
import {
  type CountedReport,
  date,
  encryptionOf,
  isConnectorRefusal,
  isFromClient,
  isPostQuantum,
  latest,
  sum,
  text,
} from './report.ts'

const connectorTls: CountedReport = {
  title: 'Connector report',
  columns: [
    date,
    text('direction', 'Inbound: from clients. Outbound: to next hops'),
    text('connector', 'name; null: no connector applied'),
    text('requiredLevel', 'TLS level that was enforced'),
    sum('inClear', 'messages without TLS'),
    sum('tls12', 'messages over TLS 1.2'),
    sum('tls13', 'messages over TLS 1.3'),
    sum(
      'postQuantum',
      'outbound: of these, with a post-quantum key exchange. A server does not see the group',
    ),
    sum('unknown', 'outbound: through Amazon SES, which does not show its sessions'),
    sum('refused', 'inbound: refused by the connector. Outbound: attempts without the required TLS'),
    sum('volume', 'octets of the messages'),
    latest('lastMail', 'time of the last of these messages'),
  ],
  mergeable: ['connector'],
  contribute({ date, row, counts, last }, { connectorName }) {
    const isInbound = row.kind === 'Accepted' || row.kind === 'Rejected'
    const id = isInbound ? row.inboundConnector : row.outboundConnector
    const key = {
      date,
      direction: isInbound ? 'Inbound' : 'Outbound',
      connector: id === undefined ? null : connectorName(id),
      requiredLevel: row.requiredLevel ?? null,
    }
    const isRefused =
      (row.kind === 'Rejected' && id !== undefined) ||
      (row.kind === 'Attempted' && row.decision === 'TlsNotMet')
    if (isRefused) return { key, sums: { refused: counts.count } }
    if (row.kind !== 'Delivered' && !isFromClient(row)) return null
    const encryption = encryptionOf(row)
    const column = { None: 'inClear', 'TLSv1.2': 'tls12', 'TLSv1.3': 'tls13', Unknown: 'unknown' }[encryption]
    return {
      key,
      sums: {
        [column]: counts.events,
        ...(isPostQuantum(row.group) && { postQuantum: counts.events }),
        volume: counts.octets,
      },
      latest: { lastMail: last },
    }
  },
}

const inTransit: CountedReport = {
  title: 'Messages in transit security',
  columns: [
    date,
    text('direction', 'Inbound or Outbound'),
    text('domain', 'the other side: the sender on arrival, the recipient on departure'),
    text('tls', 'None, TLSv1.2, TLSv1.3; Unknown: through Amazon SES'),
    text(
      'protection',
      'what demanded the level: Connector, Dane, MtaSts, RequireTls; Opportunistic: nothing',
    ),
    sum('sent', 'messages that passed'),
    sum('blocked', 'inbound: refused by a connector. Outbound: attempts without the required TLS'),
    text('error', 'why they were blocked: reason of the refusal, or result type of RFC 8460'),
  ],
  mergeable: ['domain'],
  contribute({ date, row, counts }) {
    const isInbound = row.kind === 'Accepted' || row.kind === 'Rejected'
    const domain = row.partner ?? row.senderDomain ?? null
    const direction = isInbound ? 'Inbound' : 'Outbound'
    const isBlocked =
      (row.kind === 'Rejected' && isConnectorRefusal(row.reason)) ||
      (row.kind === 'Attempted' && row.decision === 'TlsNotMet')
    const demanded = row.requiredLevel !== undefined && row.requiredLevel !== 'Opportunistic'
    const protection = row.policySource ?? (isBlocked || demanded ? 'Connector' : 'Opportunistic')
    const key = { date, direction, domain, tls: encryptionOf(row), protection }
    if (isBlocked) return { key: { ...key, error: row.reason ?? null }, sums: { blocked: counts.count } }
    if (row.kind !== 'Delivered' && !isFromClient(row)) return null
    return { key: { ...key, error: null }, sums: { sent: counts.events } }
  },
}

const rejected: CountedReport = {
  title: 'Refused in session',
  columns: [
    date,
    text('clientNetwork', 'IPv4 address, or the /64 network of an IPv6 address'),
    text('helo', 'name that the client gave'),
    text('senderDomain', 'domain of MAIL FROM'),
    text('connector', 'name of the connector that refused'),
    text('stage', 'Connect, Hello, StartTls, Mail, Rcpt or Data'),
    text('reason', 'reason of the refusal'),
    text('reply', 'code and enhanced status code'),
    sum('count', 'refusals'),
  ],
  mergeable: ['clientNetwork', 'helo', 'senderDomain'],
  contribute({ date, row, counts }, { connectorName }) {
    if (row.kind !== 'Rejected') return null
    const key = {
      date,
      clientNetwork: row.clientNetwork ?? null,
      helo: row.helo ?? null,
      senderDomain: row.senderDomain ?? null,
      connector: row.inboundConnector === undefined ? null : connectorName(row.inboundConnector),
      stage: row.stage ?? null,
      reason: row.reason ?? null,
      reply: row.replyCode ?? null,
    }
    return { key, sums: { count: counts.count } }
  },
}

const nonAcceptedDomains: CountedReport = {
  title: 'Non-accepted domain report',
  columns: [
    date,
    text('domain', 'domain of a sender of your own servers that is no accepted domain now'),
    text('connector', 'name of the connector that identified the server'),
    sum('messages', 'messages'),
    sum('volume', 'octets of the messages'),
  ],
  mergeable: ['domain'],
  contribute({ date, row, counts }, { acceptedDomains, connectorName }) {
    const { direction, partner, inboundConnector } = row
    if (!isFromClient(row) || direction !== 'Originating') return null
    if (partner === undefined || acceptedDomains.has(partner)) return null
    const connector = inboundConnector === undefined ? null : connectorName(inboundConnector)
    return {
      key: { date, domain: partner, connector },
      sums: { messages: counts.events, volume: counts.octets },
    }
  },
}

const nonDelivery: CountedReport = {
  title: 'Non-delivery report',
  columns: [
    text('code', 'code and enhanced status code of the DSN'),
    text('reason', 'reason of the decision'),
    sum('count', 'recipients'),
  ],
  mergeable: [],
  contribute: ({ row: { kind, replyCode, reason }, counts }) =>
    kind === 'Bounced'
      ? { key: { code: replyCode ?? null, reason: reason ?? null }, sums: { count: counts.events } }
      : null,
}

const keyExchange: CountedReport = {
  title: 'Key exchange',
  columns: [
    text('partner', "the recipients' domain"),
    sum('messages', 'messages delivered over TLS'),
    sum('postQuantum', 'of these, with a post-quantum key exchange'),
    { name: 'share', type: 'number', description: 'postQuantum / messages' },
  ],
  mergeable: ['partner'],
  contribute({ row, counts }) {
    if (row.kind !== 'Delivered' || row.tlsVersion === undefined) return null
    const postQuantum = isPostQuantum(row.group) ? counts.events : 0
    return { key: { partner: row.partner ?? null }, sums: { messages: counts.events, postQuantum } }
  },
  complete: (row) => ({ ...row, share: round(Number(row.postQuantum) / Number(row.messages)) }),
}

const round = (share: number): number => Math.round(share * 10_000) / 10_000

export const countedReports = {
  'connector-tls': connectorTls,
  'in-transit': inTransit,
  rejected,
  'non-accepted-domains': nonAcceptedDomains,
  'non-delivery': nonDelivery,
  'key-exchange': keyExchange,
} as const satisfies Record<string, CountedReport>
