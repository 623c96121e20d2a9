/** What a session writes and waits for when it cannot be used, without sockets. test/dialogs has the sessions that can. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { basicEnvelope } from '../../../../shared/contract/message.ts'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { parseExtensions, traitsOf } from '../../../../shared/net/esmtp.ts'
import { ClientSession, type Wait } from '../../../../shared/net/smtp/client-session.ts'
import { MailTransaction } from '../../../../shared/net/smtp/mail-transaction.ts'
import { Negotiation, type NegotiationResult } from '../../../../shared/net/smtp/negotiation.ts'
import { assessSession } from '../../../../shared/net/smtp/tls-clearance.ts'
import type { Transaction } from '../../../../shared/net/smtp/transaction-replies.ts'
import { defaultContentLimits } from '../../../../shared/net/smtp/wire-content.ts'
import { opportunistic } from '../../../../shared/tls/requirement.ts'
import { recipient } from '../../../support/fixtures.ts'

const address = 'b@partner.example'
const greeting = '220 mx.partner.example ESMTP\r\n'
const ehloReply = (keywords: readonly string[]) =>
  ['mx.partner.example', ...keywords, 'HELP']
    .map((line, index) => `250${index > keywords.length ? ' ' : '-'}${line}\r\n`)
    .join('')

/** A session whose transport records what the client does. */
class RecordedSession {
  readonly written: string[] = []
  wait: Wait | null = null
  isDestroyed = false
  takesMore = true
  readonly openings: NegotiationResult[] = []
  readonly session = new ClientSession({
    write: (octets) => {
      this.written.push(octets.toString('latin1'))
      return this.takesMore
    },
    startTls() {},
    end() {},
    destroy: () => {
      this.isDestroyed = true
    },
    startWait: (wait) => {
      this.wait = wait
    },
  })

  negotiate(): void {
    const options = { ehloName: 'mail.ours.example', startTls: 'Never', onMilestone() {} } as const
    new Negotiation(this.session, options, (result) => this.openings.push(result))
  }

  receive(octets: string): void {
    this.session.receive(Buffer.from(octets, 'latin1'))
  }

  /** Opens the session and assesses its TLS. */
  async open(keywords: readonly string[]) {
    this.negotiate()
    this.receive(greeting)
    this.receive(ehloReply(keywords))
    const tls = { kind: 'NotOffered', serverReply: null } as const
    return this.assess(tls)
  }

  async assess(tls: { kind: 'NotOffered'; serverReply: null }) {
    const { signal } = new AbortController()
    const assessment = await assessSession(this.session, tls, { enforced: opportunistic, signal })
    assert.equal(assessment.kind, 'Met')
    return assessment.kind === 'Met' ? assessment.clearance : assert.fail()
  }
}

const extensionRows: readonly (readonly string[])[] = [
  [],
  ['PIPELINING'],
  ['PIPELINING', 'CHUNKING'],
  ['CHUNKING'],
]

interface Sent {
  results: Transaction[]
  contentsSent: number
  texts: string[]
}

async function sendAfter(
  recorded: RecordedSession,
  keywords: readonly string[],
  event: (recorded: RecordedSession) => void,
  limits = defaultContentLimits,
): Promise<Sent> {
  const clearance = await recorded.open(keywords)
  recorded.written.length = 0
  event(recorded)
  const extensions = parseExtensions(ehloReply(keywords).trimEnd().replaceAll('\r\n', '\n'))
  const content = Buffer.from('x\r\n')
  const recipients = [recipient({ address })]
  const sent: Sent = { results: [], contentsSent: 0, texts: [] }
  const options = {
    extensions,
    usesChunking: extensions.has('CHUNKING'),
    mayShareFlight: true,
    limits,
    isTimedOut: () => false,
    onContentSent() {
      sent.contentsSent++
    },
  }
  const mail = { mail: traitsOf(basicEnvelope('a@ours.example'), recipients, content), recipients, content }
  new MailTransaction(recorded.session, clearance, mail, options, (result) => sent.results.push(result))
  sent.texts = sent.results.flatMap(({ replies }) => [...replies.values()].map(formatReply))
  return sent
}

describe('a session of the SMTP client', () => {
  const events: [title: string, event: (recorded: RecordedSession) => void, answer: string][] = [
    [
      'a reply without a command',
      (recorded) => recorded.receive('250 2.0.0 stray\r\n'),
      '451 4.5.0 Next hop did not speak SMTP: 250 2.0.0 stray',
    ],
    [
      'a refusal without a command',
      (recorded) => recorded.receive('554 5.7.1 stray\r\n'),
      '451 4.5.0 Next hop did not speak SMTP: 554 5.7.1 stray',
    ],
    [
      'a part of a reply',
      (recorded) => recorded.receive('250 2.0'),
      '451 4.5.0 Next hop did not speak SMTP: 250 2.0',
    ],
    [
      'a part of a reply of several lines',
      (recorded) => recorded.receive('250-stray\r\n'),
      '451 4.5.0 Next hop did not speak SMTP: 250-stray',
    ],
    [
      'the end of the connection',
      ({ session }) => session.connectionEnded('ECONNRESET'),
      '451 4.4.318 Connection closed by the next hop: ECONNRESET',
    ],
    [
      'the end of the attempt',
      ({ session }) => session.destroy({ kind: 'Ended', cause: 'ETIMEDOUT' }),
      '451 4.4.315 Connection timed out',
    ],
  ]
  for (const [title, event, answer] of events)
    for (const keywords of extensionRows)
      it(`writes nothing of a message after ${title}, with the extensions "${keywords.join(' ')}"`, async () => {
        const recorded = new RecordedSession()
        const { results, contentsSent, texts } = await sendAfter(recorded, keywords, event)
        assert.deepEqual([recorded.written, recorded.wait, contentsSent], [[], null, 0])
        assert.deepEqual(texts, [answer])
        assert.deepEqual(results[0]?.unanswered, [])
      })

  const partsBeforeCommands: [title: string, parts: readonly string[]][] = [
    ['EHLO', [`${greeting}2`]],
    ['EHLO, of several lines', [`${greeting}250-mx\r\n`]],
    ['HELO', [greeting, '502 5.5.1 what?\r\n25']],
  ]
  for (const [title, parts] of partsBeforeCommands)
    it(`fails after a part of a reply that comes before ${title}`, () => {
      const recorded = new RecordedSession()
      recorded.negotiate()
      for (const part of parts) recorded.receive(part)
      assert.equal(recorded.openings[0]?.kind, 'Failed')
      assert.equal(recorded.isDestroyed, true)
      assert.deepEqual([recorded.written.length, recorded.wait], [parts.length - 1, null])
    })

  it('reports the reply to the message, although a part of another reply follows it', async () => {
    const recorded = new RecordedSession()
    const { results } = await sendAfter(recorded, ['PIPELINING', 'CHUNKING'], () => {})
    recorded.receive('250 ok\r\n250 ok\r\n250 2.0.0 Queued\r\n42')
    assert.deepEqual([...(results[0]?.replies.values() ?? [])].map(formatReply), ['250 2.0.0 Queued'])
    assert.equal(recorded.session.isIdle, false)
  })

  it('reports a refusal of the content that arrives in two parts, before the end of the content', async () => {
    const recorded = new RecordedSession()
    const { results } = await sendAfter(recorded, ['PIPELINING'], () => {}, { piece: 2, chunk: 2, flight: 2 })
    recorded.takesMore = false
    recorded.receive('250 ok\r\n250 ok\r\n354 go ahead\r\n')
    recorded.receive('552 5.3')
    recorded.session.drained()
    recorded.receive('.4 too large\r\n')
    assert.deepEqual(recorded.written.slice(1), ['x\r', '\n.\r\n'])
    assert.deepEqual([...(results[0]?.replies.values() ?? [])].map(formatReply), ['552 5.3.4 too large'])
  })

  it('waits for nothing when it has ended before it begins', () => {
    const recorded = new RecordedSession()
    recorded.session.destroy({ kind: 'Ended', cause: 'ETIMEDOUT' })
    recorded.negotiate()
    assert.deepEqual([recorded.openings.length, recorded.wait, recorded.written], [1, null, []])
  })
})

describe('a message of 35 MiB', () => {
  const size = 35 * 1024 * 1024
  for (const keywords of [['PIPELINING', 'CHUNKING'], ['PIPELINING']])
    it(`is written in pieces of at most 64 KiB, each after the previous one was taken, with ${keywords.join(' and ')}`, async () => {
      const recorded = new RecordedSession()
      const clearance = await recorded.open(keywords)
      recorded.takesMore = false
      const content = Buffer.alloc(size, `${'x'.repeat(76)}\r\n`)
      const recipients = [recipient({ address })]
      const mail = {
        mail: traitsOf(basicEnvelope('a@ours.example'), recipients, content),
        recipients,
        content,
      }
      const extensions = parseExtensions(ehloReply(keywords).trimEnd().replaceAll('\r\n', '\n'))
      const usesChunking = extensions.has('CHUNKING')
      let isSent = false
      const options = {
        extensions,
        usesChunking,
        mayShareFlight: true,
        isTimedOut: () => false,
        onContentSent() {
          isSent = true
        },
      }
      new MailTransaction(recorded.session, clearance, mail, options, () => {})
      recorded.written.length = 0
      recorded.receive(usesChunking ? '250 Ok\r\n250 Ok\r\n' : '250 Ok\r\n250 Ok\r\n354 Go ahead\r\n')
      const chunks: number[] = []
      let octets = 0
      while (!isSent || recorded.written.length > 0) {
        const [piece = '', ...others] = recorded.written.splice(0)
        assert.deepEqual(others, [], 'one piece at a time')
        const [command = '', chunk] = /^BDAT (\d+)(?: LAST)?\r\n/.exec(piece) ?? []
        if (chunk !== undefined) chunks.push(Number(chunk))
        octets += piece.length - command.length
        assert.ok(piece.length - command.length <= 65_536 + '.\r\n'.length)
        recorded.session.drained()
      }
      assert.ok(chunks.every((chunk) => chunk <= 1024 * 1024))
      const total = chunks.reduce((sum, chunk) => sum + chunk, 0)
      assert.equal(total, usesChunking ? octets : 0)
      assert.ok(octets >= size)
    })
})
