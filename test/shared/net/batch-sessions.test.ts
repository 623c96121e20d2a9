import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import fc from 'fast-check'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { BatchSessions } from '../../../shared/net/batch-sessions.ts'
import { defaultTimeouts } from '../../../shared/net/smtp/connection.ts'
import {
  deliverOverSmtp,
  type Outcome,
  type SessionRecord,
  type SmtpDeliveryOptions,
} from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { eventually } from '../../support/eventually.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { createPki, type Pki } from '../../support/pki.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'
import { within } from '../../support/within.ts'

const smartHost = 'mx.partner.example'
const body = 'The secret is 4711.'
const content = Buffer.from(`Subject: hello\r\n\r\n${body}\r\n`)

let pki: Pki
let good: SecureContextOptions
before(async () => {
  pki = await createPki()
  good = await pki.issue({ names: [smartHost] })
})

let sessions: BatchSessions
let records: SessionRecord[]
let limit: AbortController
beforeEach(() => {
  sessions = new BatchSessions()
  records = []
  limit = new AbortController()
})
afterEach(() => sessions.close())

const encrypted = (fields: Partial<TlsRequirement> = {}): TlsRequirement => ({
  ...opportunistic,
  level: 'DomainValidation',
  tlsDomain: smartHost,
  certificateAuthorities: [pki.ca],
  ...fields,
})

interface Sending {
  tls?: TlsRequirement
  addresses?: string[]
  octets?: Buffer
  options?: Partial<SmtpDeliveryOptions>
}

async function sendAll(port: number, sending: Sending = {}): Promise<Map<string, Outcome>> {
  const { tls = encrypted(), addresses = ['b@partner.example'], octets = content } = sending
  return deliverOverSmtp(
    { kind: 'SmartHosts', hosts: [{ host: smartHost, port }] },
    {
      message: message(),
      recipients: addresses.map((address) => recipient({ address })),
      content: octets,
      tls,
    },
    smtpOptions({
      timeouts: { ...defaultTimeouts, greeting: 300, command: 300, data: 300 },
      readCredentials: async (name) => ({ certificate: name, privateKey: name }),
      recordSession: (session) => records.push(session),
      open: (hop, options, again) => sessions.open(hop, options, again),
      signal: limit.signal,
      ...sending.options,
    }),
  )
}

async function send(port: number, sending: Sending = {}): Promise<Outcome> {
  const [outcome] = (await sendAll(port, sending)).values()
  assert.ok(outcome)
  return outcome
}

async function withPartner(options: PartnerOptions, use: (partner: Partner) => Promise<void>): Promise<void> {
  const partner = await startPartner({ tls: good, ...options })
  try {
    await use(partner)
  } finally {
    await sessions.close()
    await partner.stop()
  }
}

const commandsLike = (partner: Partner, pattern: RegExp): number =>
  partner.commands.filter((command) => pattern.test(command)).length

/** Sends the given reply to the nth command (from 1) that has this prefix. */
function atTheNth(n: number, start: string, answer: string | null) {
  let count = 0
  return (command: string): string | null | undefined => {
    if (!command.startsWith(start)) return undefined
    count += 1
    return count === n ? answer : undefined
  }
}

describe('messages of a batch for one host', () => {
  it('share one session under the same requirement, which is counted once', () =>
    withPartner({}, async (partner) => {
      const first = await send(partner.port)
      const second = await send(partner.port, { octets: Buffer.from('Subject: other\r\n\r\n.\r\n') })
      const third = await send(partner.port)
      assert.equal(partner.connections(), 1)
      assert.deepEqual(
        partner.received.map((received) => received.content.toString()),
        [content, 'Subject: other\r\n\r\n.\r\n', content].map(String),
      )
      assert.equal(first.outcome, 'Delivered')
      assert.equal(first.tls?.verified, true)
      assert.deepEqual(second, first)
      assert.deepEqual(third, first)
      assert.deepEqual(
        records.map(({ result }) => result),
        ['success'],
      )
      assert.equal(commandsLike(partner, /^(EHLO|STARTTLS)/), 3, 'EHLO, STARTTLS, EHLO')
      assert.ok(!partner.wire().includes(body), 'nothing is readable on the wire')
    }))

  it('use the extensions of the reply to EHLO in every message of a shared session', () =>
    withPartner({ extensions: ['SIZE 1000', 'DSN'] }, async (partner) => {
      await send(partner.port)
      const large = await send(partner.port, { octets: Buffer.alloc(2000, 'x') })
      assert.match(formatReply(large.reply), /^552 5\.3\.4/)
      await send(partner.port)
      assert.equal(commandsLike(partner, /^MAIL .*SIZE=/), 2)
      assert.equal(partner.connections(), 1)
    }))

  it('have separate sessions while they are sent concurrently', () =>
    withPartner({}, async (partner) => {
      await Promise.all([send(partner.port), send(partner.port), send(partner.port)])
      assert.equal(partner.connections(), 3)
      await send(partner.port)
      assert.equal(partner.connections(), 3)
    }))

  const otherRequirements: [string, () => Partial<TlsRequirement>][] = [
    ['TLS level', () => ({ level: 'CertificateValidation', tlsDomain: null })],
    ['tlsDomain', () => ({ tlsDomain: '*.partner.example' })],
    ['list of certificateAuthorities', () => ({ certificateAuthorities: [pki.ca, pki.ca] })],
    ['minimum TLS version', () => ({ minimumTlsVersion: 'TLSv1.3' })],
    ['mode, Enforce or ReportOnly', () => ({ mode: 'ReportOnly' })],
  ]
  for (const [condition, fields] of otherRequirements)
    it(`never share a session with messages under a requirement with another ${condition}`, () =>
      withPartner({}, async (partner) => {
        await send(partner.port)
        await send(partner.port, { tls: encrypted(fields()) })
        assert.equal(partner.connections(), 2)
      }))

  it('never share a session with messages under a requirement with another client certificate', () =>
    withPartner({}, async (partner) => {
      const own = await pki.issue({ names: ['mail.ours.example'] })
      const readCredentials = async () => ({ certificate: String(own.cert), privateKey: String(own.key) })
      const certificateOptions = {
        tls: encrypted({ clientCertificate: 'ours' }),
        options: { readCredentials },
      }
      await send(partner.port, certificateOptions)
      await send(partner.port)
      assert.equal(partner.connections(), 2)
      await send(partner.port, certificateOptions)
      await send(partner.port)
      assert.equal(partner.connections(), 2)
    }))
})

describe('a session for several messages', () => {
  const rows: [string, PartnerOptions, { connections: number; codes: number[] }][] = [
    [
      'gets 421 as second reply to MAIL',
      { answer: atTheNth(2, 'MAIL', '421 4.7.0 enough for now') },
      { connections: 2, codes: [250, 250] },
    ],
    [
      'closes without a second reply to MAIL',
      { answer: atTheNth(2, 'MAIL', null) },
      { connections: 2, codes: [250, 250] },
    ],
    [
      'gets 452 as second reply to MAIL',
      { answer: atTheNth(2, 'MAIL', '452 4.5.3 too many messages') },
      { connections: 2, codes: [250, 250] },
    ],
    [
      'gets 550 as second reply to MAIL, as the new session does,',
      { answer: (line) => (line.startsWith('MAIL') ? '550 5.7.1 not you' : undefined) },
      { connections: 2, codes: [550, 550] },
    ],
    [
      'closes at the second RCPT',
      { extensions: [], answer: atTheNth(2, 'RCPT', null) },
      { connections: 1, codes: [250, 451] },
    ],
    [
      'closes at the second DATA',
      { extensions: [], answer: atTheNth(2, 'DATA', null) },
      { connections: 1, codes: [250, 451] },
    ],
  ]
  for (const [condition, options, { connections, codes }] of rows)
    it(`that ${condition} is ${connections === 1 ? 'not ' : ''}replaced by a new one, and its two messages get ${codes.join(' and ')}`, () =>
      withPartner(options, async (partner) => {
        const outcomes = [await send(partner.port), await send(partner.port)]
        assert.deepEqual(
          outcomes.map(({ reply }) => reply.code),
          codes,
        )
        assert.equal(partner.connections(), connections)
        assert.equal(partner.received.length, codes.filter((code) => code === 250).length)
      }))

  it('is replaced by a new session only once for one message', () =>
    withPartner(
      { answer: (line) => (line === 'MAIL FROM:<a@elsewhere.example> SIZE=40' ? null : undefined) },
      async (partner) => {
        const octets = Buffer.from(`Subject: forty octets exactly\r\n\r\n${'x'.repeat(7)}`)
        assert.equal(octets.length, 40)
        await send(partner.port)
        const outcome = await send(partner.port, { octets })
        assert.equal(formatReply(outcome.reply).slice(0, 11), '451 4.4.318')
        assert.equal(partner.connections(), 2)
      },
    ))

  it('is replaced by a new session, not by another open session', () =>
    withPartner({ answer: atTheNth(3, 'MAIL', '421 4.7.0 enough for now') }, async (partner) => {
      await Promise.all([send(partner.port), send(partner.port)])
      assert.equal((await send(partner.port)).outcome, 'Delivered')
      assert.equal(partner.connections(), 3)
    }))

  it('is not used again after a reply that arrived before the end of the message', () =>
    withPartner(
      { extensions: ['PIPELINING'], answer: atTheNth(1, 'DATA', '354 go on\r\n552 5.3.4 that is enough') },
      async (partner) => {
        const large = await send(partner.port, { octets: Buffer.alloc(20_000_000, 'x') })
        assert.equal(large.reply.code, 552)
        assert.equal((await send(partner.port)).outcome, 'Delivered')
        assert.equal(partner.connections(), 2)
      },
    ))

  it('is not replaced when it ends after the message began, and the outcome warns of a second copy', async () => {
    const answers = ['250 2.0.0 taken', null]
    const partner = await startPartner({
      tls: good,
      get answerToMessage() {
        return answers.shift() ?? null
      },
    })
    try {
      await send(partner.port)
      const lost = await send(partner.port)
      assert.match(lost.reply.text, /may arrive twice/)
      assert.deepEqual([partner.connections(), partner.received.length], [1, 2])
    } finally {
      await partner.stop()
    }
  })

  it('is replaced within the attempt when the server has closed it between messages', async () => {
    const partner = await startPartner({ tls: good })
    try {
      await send(partner.port)
      partner.hangUp()
      await eventually(() => partner.open() === 0, 'the end of the connection')
      assert.equal((await send(partner.port)).outcome, 'Delivered')
      assert.equal(partner.connections(), 2)
      assert.equal(records.length, 2)
    } finally {
      await partner.stop()
    }
  })

  it('is reset with RSET after a refused transaction', () =>
    withPartner({ answer: atTheNth(1, 'RCPT', '550 5.1.1 no such user') }, async (partner) => {
      assert.equal((await send(partner.port)).outcome, 'PermanentFailure')
      assert.equal((await send(partner.port)).outcome, 'Delivered')
      assert.equal(partner.connections(), 1)
      assert.equal(commandsLike(partner, /^RSET$/), 1)
    }))

  for (const answer of ['500 5.5.1 what?', '421 4.3.2 bye', null])
    it(`is not used again when ${answer === null ? 'the server closes at RSET' : `the reply to RSET is ${answer}`}`, () =>
      withPartner(
        {
          answer: (line) =>
            line === 'RSET'
              ? answer
              : line === 'RCPT TO:<unknown@partner.example>'
                ? '550 5.1.1 no'
                : undefined,
        },
        async (partner) => {
          await send(partner.port, { addresses: ['unknown@partner.example'] })
          assert.equal((await send(partner.port)).outcome, 'Delivered')
          assert.equal(partner.connections(), 2)
        },
      ))

  it('is not used again after a reply that answers no command', async () => {
    const partner = await startPartner({
      tls: good,
      answerToMessage: '250 2.0.0 taken\r\n250 2.0.0 and again',
    })
    try {
      await send(partner.port)
      await send(partner.port)
      assert.equal(partner.connections(), 2)
    } finally {
      await partner.stop()
    }
  })

  it('is closed with QUIT at the end of the batch', () =>
    withPartner({}, async (partner) => {
      await send(partner.port)
      assert.equal(commandsLike(partner, /^QUIT$/), 0)
      await sessions.close()
      assert.equal(commandsLike(partner, /^QUIT$/), 1)
    }))

  it('gives each recipient of each message its own reply', () =>
    withPartner(
      {
        answer: (line) => (line.startsWith('RCPT TO:<full@') ? '452 4.2.2 mailbox full' : undefined),
      },
      async (partner) => {
        for (let round = 0; round < 2; round++) {
          const outcomes = await sendAll(partner.port, {
            addresses: ['full@partner.example', 'b@partner.example'],
          })
          assert.deepEqual(
            [...outcomes].map(([address, { outcome, reply }]) => [address, outcome, reply.code]),
            [
              ['full@partner.example', 'TemporaryFailure', 452],
              ['b@partner.example', 'Delivered', 250],
            ],
          )
        }
        assert.equal(partner.connections(), 1)
        assert.deepEqual(
          partner.received.map(({ recipients }) => recipients.length),
          [2, 2].map(() => partner.received[0]?.recipients.length ?? 0),
        )
      },
    ))
})

describe('the failure of a host in a batch', () => {
  const rows: [string, PartnerOptions, Partial<SmtpDeliveryOptions>, string][] = [
    ['does not greet', { silentAt: 'greeting' }, {}, '451 4.4.315'],
    ['greets with 421', { greeting: '421 4.3.2 not now' }, {}, '421 4.3.2'],
    ['offers no TLS', { refuseStartTls: '454 4.7.0 not now' }, {}, '451 4.7.321'],
    ['breaks the handshake', { breakHandshake: true }, {}, '451 4.7.5'],
  ]
  for (const [condition, options, fields, code] of rows)
    it(`that ${condition} is the outcome of the batch's later messages too, without another connection`, () =>
      withPartner(options, async (partner) => {
        const first = await send(partner.port, { options: fields })
        const second = await send(partner.port, { options: fields })
        assert.equal(partner.connections(), 1)
        assert.ok(formatReply(first.reply).startsWith(code), formatReply(first.reply))
        assert.equal(second.outcome, first.outcome)
        assert.deepEqual({ ...second, reply: null }, { ...first, reply: null })
        assert.equal(second.reply.text, `${first.reply.text} (found 0 s before; no new connection was made)`)
        assert.equal(records.length, first.outcome === 'TlsNotMet' ? 1 : 0)
      }))

  it('that greets with 554 leads to another connection for each later message', () =>
    withPartner({ greeting: '554 5.7.1 go away' }, async (partner) => {
      assert.equal((await send(partner.port)).outcome, 'PermanentFailure')
      assert.equal((await send(partner.port)).outcome, 'PermanentFailure')
      assert.equal(partner.connections(), 2)
    }))

  it('that offers no TLS is not the outcome of later messages under another requirement', () =>
    withPartner({ refuseStartTls: '454 4.7.0 not now' }, async (partner) => {
      assert.equal((await send(partner.port)).outcome, 'TlsNotMet')
      assert.equal((await send(partner.port, { tls: opportunistic })).outcome, 'Delivered')
    }))

  it('is not the outcome of later messages when its cause is the timeout of the batch', () =>
    withPartner({ silentAt: 'greeting' }, async (partner) => {
      setTimeout(() => limit.abort(), 20)
      await send(partner.port)
      limit = new AbortController()
      await send(partner.port)
      assert.equal(partner.connections(), 2)
    }))
})

describe('the end of a batch', () => {
  it('closes a session in the middle of a message, whose outcome is TemporaryFailure', () =>
    withPartner({ silentAt: 'message' }, async (partner) => {
      const sending = send(partner.port)
      await eventually(() => partner.received.length > 0, 'the message')
      limit.abort()
      assert.equal((await sending).outcome, 'TemporaryFailure')
      await sessions.close()
      await eventually(() => partner.open() === 0, 'the end of the connection')
    }))

  it('sends no QUIT in a session in the data phase', () =>
    withPartner({ silentAt: 'message' }, async (partner) => {
      const sending = send(partner.port)
      await eventually(() => partner.received.length > 0, 'the message')
      await sessions.close()
      await eventually(() => partner.open() === 0, 'the end of the connection')
      assert.equal(partner.commands.filter((command) => command === 'QUIT').length, 0)
      assert.equal((await sending).outcome, 'TemporaryFailure')
    }))

  it('does not wait for a server that ignores QUIT', (t) =>
    withPartner({ silentAt: 'QUIT' }, async (partner) => {
      await send(partner.port)
      t.mock.timers.enable({ apis: ['setTimeout'] })
      try {
        const closing = sessions.close()
        t.mock.timers.tick(1_000)
        await within(10_000, closing, 'the end without an answer to QUIT')
      } finally {
        t.mock.timers.reset()
      }
    }))
})

describe('in a batch to a server with any replies', () => {
  const refusals = ['421 4.3.2 bye', '451 4.3.0 later', '550 5.0.0 no', null]
  const answers: Record<string, readonly (string | null)[]> = {
    MAIL: ['452 4.5.3 too many', ...refusals],
    RCPT: refusals,
    DATA: refusals,
    BDAT: ['502 5.5.1 what?', ...refusals],
    RSET: ['500 5.5.1 what?', ...refusals],
  }
  const afterMessage = ['250 2.0.0 taken', '250 2.0.0 taken', ...refusals]
  const dice = fc.array(fc.nat({ max: 99 }), { minLength: 60, maxLength: 60 })

  it('each message is accepted at most once, and is Delivered exactly when the server confirmed it', async () => {
    await fc.assert(
      fc.asyncProperty(dice, fc.subarray(['PIPELINING', 'CHUNKING']), async (throws, extensions) => {
        const pool = new BatchSessions()
        /** Indexes in `partner.received` of the messages that the server confirmed. */
        const saidYes: number[] = []
        let thrown = 0
        const roll = () => throws[thrown++ % throws.length] ?? 0
        const partner = await startPartner({
          tls: good,
          extensions,
          answer(command) {
            const choices = answers[command.split(/[ :]/)[0] ?? '']
            const number = choices ? roll() : 99
            return choices && number < 25 ? choices[number % choices.length] : undefined
          },
          get answerToMessage() {
            const answer = afterMessage[roll() % afterMessage.length] ?? null
            if (answer?.startsWith('2')) saidYes.push(partner.received.length)
            return answer
          },
        })
        try {
          const open: SmtpDeliveryOptions['open'] = (hop, options, again) => pool.open(hop, options, again)
          for (let number = 0; number < 8; number++) {
            const text = `Subject: ${number}\r\n\r\n`
            const outcome = await send(partner.port, { octets: Buffer.from(text), options: { open } })
            const times = saidYes.filter((place) => String(partner.received[place]?.content) === text).length
            assert.equal(times, outcome.outcome === 'Delivered' ? 1 : 0, `message ${number}`)
          }
          assert.ok(!partner.wire().includes('MAIL FROM'))
        } finally {
          await pool.close()
          await partner.stop()
        }
      }),
      { numRuns: 40 },
    )
  })
})
