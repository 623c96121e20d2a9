/**
 * The delivery to servers by other authors. Each message has to arrive octet for octet, whichever command carries it:
 * Exim and Postfix announce CHUNKING (RFC 3030), the others do not, and OpenSMTPD refuses commands that are pipelined.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { formatReply } from '../../shared/mail/reply.ts'
import { BatchSessions } from '../../shared/net/batch-sessions.ts'
import { deliverOverSmtp, type Outcomes } from '../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import { eventually } from '../support/eventually.ts'
import { message, recipient } from '../support/fixtures.ts'
import { missingAiosmtpd, startAiosmtpd } from '../support/peers/aiosmtpd.ts'
import { missingExim } from '../support/peers/exim.ts'
import {
  domain,
  type MailServer,
  refusedRecipient,
  refusedSender,
  startEximServer,
  startPostfixServer,
} from '../support/peers/mail-server.ts'
import { missingOpenSmtpd, startOpenSmtpd } from '../support/peers/opensmtpd.ts'
import { missing } from '../support/peers/peers.ts'
import {
  announcesChunking,
  contentVerb,
  type Recording,
  startRecordingProxy,
} from '../support/peers/recording-proxy.ts'
import { createPki, type Identity } from '../support/pki.ts'
import { smtpOptions } from '../support/smtp-options.ts'

const servers: Record<string, { skip: string | false; start(identity: Identity): Promise<MailServer> }> = {
  Exim: { skip: missingExim(), start: startEximServer },
  Postfix: { skip: missing('postfix', 'apt-get install postfix', true), start: startPostfixServer },
  OpenSMTPD: { skip: missingOpenSmtpd(), start: startOpenSmtpd },
  aiosmtpd: { skip: missingAiosmtpd(), start: startAiosmtpd },
}

const host = `mx.${domain}`
const [bob, carol] = [`bob@${domain}`, `carol@${domain}`]

/** The bodies of messages. A body without a final line end arrives with one. */
const bodies: Record<string, string> = {
  'no line': '',
  'dots at line starts': '.\r\n..\r\n.x\r\n...x\r\n\r\n.\r\n',
  'no final line end': 'a\r\nb',
  'a dot and no final line end': 'a\r\n.',
  'empty lines at its end': 'a\r\n\r\n\r\n',
  'lines of 998 octets': `${'x'.repeat(998)}\r\n.${'y'.repeat(997)}\r\n`.repeat(100),
  'octets above 127': `${Array.from({ length: 128 }, (_, index) => String.fromCharCode(128 + index)).join('')}\r\n`,
  'lines that look like commands': 'BDAT 3 LAST\r\nRSET\r\nQUIT\r\nDATA\r\n',
  '5 MB of lines that begin with a dot': `.${'z'.repeat(70)}\r\n..\r\n`.repeat(68_000),
}

let number = 0

/** A message with all fields that a server would add. */
function contentWith(body: string): { id: string; content: string } {
  const id = `message-${number++}@ours.example`
  const fields = [
    'From: a@elsewhere.example',
    `To: ${bob}`,
    'Date: Thu, 15 Jan 2026 12:00:00 +0000',
    `Message-ID: <${id}>`,
    'Subject: x',
  ]
  return { id, content: `${fields.join('\r\n')}\r\n\r\n${body}` }
}

let identity: Identity
let authority: string

before(async () => {
  const pki = await createPki()
  authority = pki.ca
  identity = await pki.issue({ names: [host] })
})

const levels = ['in the clear', 'over TLS'] as const

/** @param recipients addresses @param sessions where they come from, if not from a connection for this message */
function deliver(
  port: number,
  level: (typeof levels)[number],
  content: string,
  {
    mailFrom = 'a@elsewhere.example',
    recipients = [bob],
    sessions,
  }: { mailFrom?: string; recipients?: string[]; sessions?: BatchSessions } = {},
): Promise<Outcomes> {
  const tls =
    level === 'in the clear'
      ? opportunistic
      : {
          ...opportunistic,
          level: 'DomainValidation' as const,
          tlsDomain: host,
          certificateAuthorities: [authority],
        }
  const mail = {
    message: message({ mailFrom }),
    recipients: recipients.map((address) => recipient({ address })),
    content: Buffer.from(content, 'latin1'),
    tls,
  }
  return deliverOverSmtp(
    { kind: 'SmartHosts', hosts: [{ host, port }] },
    mail,
    smtpOptions({
      signal: AbortSignal.timeout(60_000),
      ...(sessions && { open: (hop, options, mustBeNew) => sessions.open(hop, options, mustBeNew) }),
    }),
  )
}

const outcomesOf = (outcomes: Outcomes) =>
  Object.fromEntries([...outcomes].map(([address, { outcome }]) => [address, outcome]))

function assertDelivered(outcomes: Outcomes): void {
  for (const [address, { outcome, reply }] of outcomes)
    assert.equal(outcome, 'Delivered', `${address}: ${formatReply(reply)}`)
}

/** The server's own fields, which it adds at the front. */
const addedFields =
  /^(?:(?:Return-Path|X-Original-To|Delivered-To|Received):[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)*$/

/** Asserts that one copy for each recipient arrives. */
async function assertArrives(
  { lineEnd, mailbox }: MailServer,
  { id, content }: { id: string; content: string },
  recipients: readonly string[],
): Promise<void> {
  const copies = () => mailbox().filter((text) => text.includes(`<${id}>`))
  await eventually(() => copies().length >= recipients.length, `${recipients.length} copies`)
  const octets = (content.endsWith('\r\n') ? content : `${content}\r\n`).replaceAll('\r\n', lineEnd)
  const found = copies()
  for (const copy of found) {
    assert.ok(copy.endsWith(octets), 'the content arrives octet for octet')
    assert.match(copy.slice(0, copy.length - octets.length), addedFields)
  }
  assert.deepEqual(
    found.map((copy) => /^Delivered-To: (\S+)/m.exec(copy)?.[1]).sort(),
    [...recipients].sort(),
  )
}

/** Asserts which command carried the content. */
function assertVerb(recording: Recording | undefined): void {
  assert.ok(recording)
  const verb = contentVerb(recording)
  assert.equal(verb, announcesChunking(recording) ? 'BDAT' : 'DATA')
}

for (const [name, { skip, start }] of Object.entries(servers))
  describe(`mail to ${name}`, { skip, timeout: 120_000 }, () => {
    let server: MailServer

    before(async () => {
      server = await start(identity)
    })
    after(() => server?.stop())

    for (const [title, body] of Object.entries(bodies)) {
      it(`arrives in the clear with ${title}`, async (t) => {
        const proxy = await startRecordingProxy(server.ports.clear)
        t.after(() => proxy.stop())
        const mail = contentWith(body)
        assertDelivered(await deliver(proxy.port, 'in the clear', mail.content))
        await assertArrives(server, mail, [bob])
        assertVerb(proxy.recordings[0])
      })

      it(`arrives over TLS with ${title}`, async () => {
        const mail = contentWith(body)
        const outcomes = await deliver(server.ports.tls, 'over TLS', mail.content)
        assertDelivered(outcomes)
        assert.equal(outcomes.get(bob)?.tls?.verified, true)
        await assertArrives(server, mail, [bob])
      })
    }

    for (const level of levels)
      it(`arrives ${level} in a session that also has a refused sender and refused recipients`, async (t) => {
        const proxy = await startRecordingProxy(server.ports[level === 'over TLS' ? 'tls' : 'clear'])
        const sessions = new BatchSessions()
        t.after(async () => {
          await sessions.close()
          await proxy.stop()
        })
        const mails = Array.from({ length: 5 }, () => contentWith('.\r\ntext\r\n'))
        const [fromRefused, toThree, toRefused, toTwo, again] = mails as [Mail, Mail, Mail, Mail, Mail]
        const send = async (mail: Mail, options: Parameters<typeof deliver>[3]) =>
          outcomesOf(await deliver(proxy.port, level, mail.content, { sessions, ...options }))
        assert.deepEqual(await send(fromRefused, { mailFrom: refusedSender }), { [bob]: 'PermanentFailure' })
        assert.deepEqual(await send(toThree, { recipients: [bob, refusedRecipient, carol] }), {
          [bob]: 'Delivered',
          [refusedRecipient]: 'PermanentFailure',
          [carol]: 'Delivered',
        })
        assert.deepEqual(await send(toRefused, { recipients: [refusedRecipient] }), {
          [refusedRecipient]: 'PermanentFailure',
        })
        assert.deepEqual(await send(toTwo, { recipients: [carol, bob] }), {
          [carol]: 'Delivered',
          [bob]: 'Delivered',
        })
        assert.deepEqual(await send(again, {}), { [bob]: 'Delivered' })
        await assertArrives(server, toThree, [bob, carol])
        await assertArrives(server, toTwo, [bob, carol])
        await assertArrives(server, again, [bob])
        const refusedIds = [fromRefused, toRefused].map(({ id }) => id)
        assert.ok(server.mailbox().every((text) => refusedIds.every((id) => !text.includes(id))))
        assert.equal(proxy.connections(), 1)
      })
  })

type Mail = ReturnType<typeof contentWith>
