/** Runs the decision functions for a case. */
import assert from 'node:assert/strict'
import type { InboundConnector, OutboundConnector } from '../../../../shared/connectors/schema.ts'
import { type Message, noTls, type Recipient } from '../../../../shared/contract/message.ts'
import { evaluate, type Settings, type Verdict } from '../../../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../../../shared/policy/snapshot.ts'
import { message, recipient, snapshot } from '../../../support/fixtures.ts'
import { type Case, mailboxes, receivedAt } from './notation.ts'

type Connector = InboundConnector | OutboundConnector

export const connectorsOf = ({ mailboxes: withMailboxes, connectors = [] }: Case): readonly Connector[] =>
  withMailboxes === false ? connectors : [mailboxes(), ...connectors]

export const isInbound = (it: Connector): it is InboundConnector => 'senderDomains' in it

export function compile({ acceptedDomains }: Case, connectors: readonly Connector[]): Snapshot {
  return snapshot({
    inbound: connectors.filter(isInbound),
    outbound: connectors.filter((it): it is OutboundConnector => !isInbound(it)),
    ...(acceptedDomains && { acceptedDomains }),
  })
}

export const addressOf = ({ to = 'b@ours.example' }: Case): string => to

export function messageOf({
  from = 'a@elsewhere.example',
  ip = '192.0.2.1',
  tls = noTls,
  createdByMailflow: madeHere,
  exchangeOnline,
  authentication,
}: Case): Message {
  const source = madeHere ? null : { ip, port: 40_000, helo: 'client.example' }
  return {
    ...message({ receivedAt: receivedAt.toISOString(), mailFrom: from, source, tls }),
    ...(exchangeOnline && { exchangeOnline }),
    ...(authentication && { authentication }),
  }
}

/** The message without the results that are known only after the session. */
export function messageInSession(row: Case): Message {
  const { authentication: _, ...message } = messageOf(row)
  return message
}

export function recipientOf(row: Case): Recipient {
  return recipient({
    address: addressOf(row),
    ...(row.lastAttempt && { lastAttempt: row.lastAttempt }),
    ...row.recipient,
  })
}

export const settingsOf = ({
  defaultRoute = 'Mx',
  tlsReportAddress = null,
  postmaster: mailbox,
}: Case): Settings => ({
  defaultRoute,
  tlsReportAddress,
  ...(mailbox !== undefined && { postmaster: { hostname: 'mx.ours.example', mailbox } }),
})

export function decideCase(row: Case, given: Snapshot): Verdict {
  const { minutes = 0, retry = false } = row
  const now = new Date(receivedAt.getTime() + minutes * 60_000)
  const [verdict] = evaluate({
    snapshot: given,
    settings: settingsOf(row),
    message: messageOf(row),
    recipients: [recipientOf(row)],
    ...(row.earlier && { earlier: new Map([[addressOf(row), row.earlier]]) }),
    now,
    retry,
  })
  return verdict ?? assert.fail('no verdict')
}
