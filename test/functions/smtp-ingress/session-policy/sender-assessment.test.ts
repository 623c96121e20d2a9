/** Recipients of one message to which different connectors apply (`associatedAcceptedDomains`). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { Metrics } from '../../../../functions/smtp-ingress/metrics.ts'
import { parseCommand } from '../../../../functions/smtp-ingress/protocol/command.ts'
import {
  ConnectorSessionPolicy,
  type SessionPolicyParts,
} from '../../../../functions/smtp-ingress/session-policy/connector-session-policy.ts'
import type { InboundConnector } from '../../../../shared/connectors/schema.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { inbound, overTlsWith, receivedAt, snapshot } from '../../../support/fixtures.ts'

const greeting = { name: 'client.example', isEsmtp: true }

const scopedTo = (domain: string, fields: Partial<InboundConnector>) =>
  inbound({ senderDomains: ['*'], requireTls: false, associatedAcceptedDomains: [domain], ...fields })

const ownServer = scopedTo('a.example', {
  name: 'Own',
  connectorType: 'OnPremises',
  senderIpAddresses: ['192.0.2.1'],
})
const restricted = scopedTo('b.example', {
  name: 'Restricted',
  senderIpAddresses: ['198.51.100.1'],
  restrictDomainsToIpAddresses: true,
})

interface Result {
  replies: string[]
  attributedTo: string | null
  /** Address and connectors of each count. */
  counted: [string | null, string[]][]
  notices: number
  checks: string[][]
}

async function send(connectors: InboundConnector[], recipients: string[]): Promise<Result> {
  const compiled = snapshot({ inbound: connectors, acceptedDomains: ['a.example', 'b.example', 'c.example'] })
  const result: Result = { replies: [], attributedTo: null, counted: [], notices: 0, checks: [] }
  const parts = {
    environment: { MAIL_HOSTNAME: 'mx.ours.example', POSTMASTER_ADDRESS: null, MAX_MESSAGE_SIZE: 1_000_000 },
    connectors: { current: () => compiled, latest: async () => compiled, areFailing: false },
    intake: {
      isFailing: false,
      hasRoomFor: () => true,
      begin: (_header: Buffer, message: { attributedTo: string | null }) => {
        result.attributedTo = message.attributedTo
        return {}
      },
    },
    tls: { facts: () => overTlsWith(), refuseResumption() {} },
    handshakeCosts: { requestNext() {} },
    rejections: { report() {} },
    certificateNotifier: { notifyRefusal: () => result.notices++ },
    rates: {
      countMessage: (ip: string | null, counted: readonly InboundConnector[]) => {
        result.counted.push([ip, counted.map(({ name }) => name)])
        return null
      },
    },
    metrics: new Metrics(),
    log: (_level: string, message: string, { connectors: names }: { connectors?: string[] }) => {
      if (message.startsWith('revocation check')) result.checks.push(names ?? [])
    },
    now: () => receivedAt,
  } as unknown as SessionPolicyParts
  const policy = new ConnectorSessionPolicy(parts, { ip: '192.0.2.1', port: 25 })
  policy.checkTlsSession({ isSessionReused: () => false } as TLSSocket, true)
  const mail = parse('MAIL FROM:<x@mail.contoso.example>', 'MAIL')
  policy.mail(mail, greeting)
  const commands = recipients.map((address) => parse(`RCPT TO:<${address}>`, 'RCPT'))
  const accepted = []
  for (const command of commands) {
    const reply = formatReply(await policy.recipient(command, mail))
    result.replies.push(reply.slice(0, 9).trim())
    if (reply.startsWith('250')) accepted.push(command.recipient)
  }
  policy.data({ greeting, mail, recipients: accepted })
  return result
}

function parse<V extends 'MAIL' | 'RCPT'>(line: string, verb: V) {
  const command = parseCommand(Buffer.from(line))
  assert.ok('verb' in command && command.verb === verb)
  return command as Extract<typeof command, { verb: V }>
}

const accepted = '250 2.1.5'
const rows: [title: string, recipients: string[], replies: string[], attributedTo: string | null][] = [
  ['in no scope', ['x@c.example'], [accepted], null],
  ['in the scope of an OnPremises connector', ['x@a.example'], [accepted], 'id-own'],
  ['in that scope and in none', ['x@a.example', 'x@c.example'], [accepted, accepted], 'id-own'],
  ['in none and in that scope', ['x@c.example', 'x@a.example'], [accepted, accepted], 'id-own'],
  [
    'outside the accepted domains and in that scope',
    ['x@d.example', 'x@a.example'],
    ['550 5.7.6', accepted],
    'id-own',
  ],
  [
    'in the scope of a violated Partner connector',
    ['x@b.example', 'x@c.example'],
    ['550 5.7.5', accepted],
    null,
  ],
]
for (const [title, recipients, replies, attributedTo] of rows)
  test(`recipients ${title} get ${replies.join(', ')}, and the message is from ${attributedTo ?? 'the internet'}`, async () => {
    const result = await send([ownServer, restricted], recipients)
    assert.deepEqual([result.replies, result.attributedTo], [replies, attributedTo])
  })

test('a message is counted once for its address and once for each connector of its recipients', async () => {
  const partner = scopedTo('b.example', { name: 'Partner' })
  const { counted } = await send(
    [ownServer, partner],
    ['x@c.example', 'x@a.example', 'y@a.example', 'x@b.example', 'y@b.example'],
  )
  assert.deepEqual(counted, [
    ['192.0.2.1', []],
    [null, ['Own']],
    [null, ['Partner']],
  ])
})

test('the refusal under each connector is passed to the certificate notifier once', async () => {
  const other = { ...restricted, id: 'other', name: 'Other', associatedAcceptedDomains: ['c.example'] }
  const { notices } = await send([restricted, other], ['x@b.example', 'y@b.example', 'x@c.example'])
  assert.equal(notices, 2)
})

test('revocation is checked for the connector of the recipient, although a connector without the check has precedence elsewhere', async () => {
  const named = {
    connectorType: 'OnPremises' as const,
    requireTls: true,
    tlsSenderCertificateNames: ['mail.contoso.example'],
    senderIpAddresses: [],
  }
  const unchecked = scopedTo('a.example', { ...named, name: 'A', revocationCheck: 'None' })
  const checked = scopedTo('b.example', { ...named, name: 'B', revocationCheck: 'SoftFail' })
  const { checks } = await send([unchecked, checked], ['x@a.example', 'x@b.example', 'y@b.example'])
  assert.deepEqual(checks, [['B']])
})
