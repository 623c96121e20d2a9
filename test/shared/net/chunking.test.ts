/** Deliveries by BDAT (RFC 3030), and to hosts with the limits of RFC 9422, over real connections. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import { formatReply } from '../../../shared/mail/reply.ts'
import { BatchSessions } from '../../../shared/net/batch-sessions.ts'
import { deliverOverSmtp, type Outcome, type SmtpDeliveryOptions } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { createPki, type Pki } from '../../support/pki.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const host = 'mx.partner.example'
const extensions = ['PIPELINING', '8BITMIME', 'CHUNKING']

let pki: Pki
let good: SecureContextOptions
before(async () => {
  pki = await createPki()
  good = await pki.issue({ names: [host] })
})

async function send(
  { port }: Partner,
  content: Buffer,
  {
    addresses = ['b@partner.example'],
    ...options
  }: Partial<SmtpDeliveryOptions> & { addresses?: string[] } = {},
): Promise<Outcome[]> {
  const outcomes = await deliverOverSmtp(
    { kind: 'SmartHosts', hosts: [{ host, port }] },
    {
      message: message(),
      recipients: addresses.map((address) => recipient({ address })),
      content,
      tls: { ...opportunistic, level: 'DomainValidation', tlsDomain: host, certificateAuthorities: [pki.ca] },
    },
    smtpOptions(options),
  )
  return [...outcomes.values()]
}

async function withPartner(options: PartnerOptions, use: (partner: Partner) => Promise<void>): Promise<void> {
  const partner = await startPartner({ tls: good, extensions, ...options })
  try {
    await use(partner)
  } finally {
    await partner.stop()
  }
}

const textOf = ([outcome]: Outcome[]): string => (outcome ? formatReply(outcome.reply) : 'no outcome')
const bdatOf = ({ commands }: Partner): string[] => commands.filter((command) => command.startsWith('BDAT'))
const short = Buffer.from('Subject: x\r\n\r\n.\r\n..x\r\n')

describe('a delivery to a host with CHUNKING', () => {
  for (const [title, content, bdat] of [
    ['a short message in one chunk', short, ['BDAT 22 LAST']],
    [
      'a message of 2.5 MB in chunks of 1 MiB',
      Buffer.alloc(2_500_000, '0123456789.\r\n'),
      ['BDAT 1048576', 'BDAT 1048576', 'BDAT 402852 LAST'],
    ],
  ] as const)
    it(`transmits exactly the octets of ${title}`, () =>
      withPartner({}, async (partner) => {
        const whole = content.length === 22 ? content : content.subarray(0, content.lastIndexOf('\r\n') + 2)
        assert.equal(textOf(await send(partner, whole)), '250 2.0.0 taken')
        assert.ok(partner.received[0]?.content.equals(whole))
        assert.equal(bdatOf(partner).length, bdat.length)
        assert.doesNotMatch(partner.wire().toString('latin1'), /MAIL FROM|BDAT/)
      }))

  it('uses DATA after the host has refused BDAT, in a new session, and records the host', () =>
    withPartner(
      { answer: (line) => (line.startsWith('BDAT') ? '502 5.5.1 what?' : undefined) },
      async (partner) => {
        const added: string[] = []
        const chunkingFaults = {
          has: async (name: string) => added.includes(name),
          add: async (name: string) => void added.push(name),
        }
        assert.equal(textOf(await send(partner, short, { chunkingFaults })), '250 2.0.0 taken')
        assert.deepEqual([added, partner.connections(), bdatOf(partner).length], [[host], 2, 1])
        assert.equal(textOf(await send(partner, short, { chunkingFaults })), '250 2.0.0 taken')
        assert.deepEqual([partner.received.length, partner.connections(), bdatOf(partner).length], [2, 3, 1])
      },
    ))

  it('uses DATA in the next attempt after a connection that ended without a reply to BDAT', () =>
    withPartner({ answerToMessage: null }, async (partner) => {
      const added: string[] = []
      const chunkingFaults = { has: async () => false, add: async (name: string) => void added.push(name) }
      const [outcome] = await send(partner, short, { chunkingFaults })
      assert.deepEqual([outcome?.unanswered, added, partner.connections()], [true, [host], 1])
    }))

  it('repeats no message whose content the host refused', () =>
    withPartner({ answerToMessage: '550 5.7.1 spam' }, async (partner) => {
      assert.equal(textOf(await send(partner, short)), '550 5.7.1 spam')
      assert.deepEqual([partner.received.length, partner.connections()], [1, 1])
    }))
})

describe('a delivery to a host with LIMITS', () => {
  const addresses = ['a@one.example', 'b@one.example', 'c@two.example']
  const rows: [limits: string, transactions: number, connections: number][] = [
    ['RCPTMAX=2', 2, 1],
    ['RCPTMAX=1', 3, 1],
    ['RCPTDOMAINMAX=1', 2, 1],
    ['RCPTMAX=0 RCPTDOMAINMAX=x', 1, 1],
  ]
  for (const [limits, transactions, connections] of rows)
    it(`sends three recipients in ${transactions} transactions under LIMITS ${limits}`, () =>
      withPartner({ extensions: [...extensions, `LIMITS ${limits}`] }, async (partner) => {
        const outcomes = await send(partner, short, { addresses })
        assert.deepEqual(
          outcomes.map(({ outcome }) => outcome),
          addresses.map(() => 'Delivered'),
        )
        assert.deepEqual([partner.received.length, partner.connections()], [transactions, connections])
      }))

  it('defers the recipients that one session cannot take', () =>
    withPartner({ extensions: [...extensions, 'LIMITS MAILMAX=1 RCPTMAX=2'] }, async (partner) => {
      const outcomes = await send(partner, short, { addresses })
      assert.deepEqual(
        outcomes.map(({ reply }) => reply.enhanced),
        ['2.0.0', '2.0.0', '4.5.3'],
      )
    }))

  it('sends a recipient no second copy when BDAT is refused for the other recipients', () => {
    let chunks = 0
    const answer = (line: string) => {
      if (line.startsWith('BDAT')) chunks++
      return line.startsWith('BDAT') && chunks === 2 ? '503 5.7.1 No more' : undefined
    }
    return withPartner({ extensions: [...extensions, 'LIMITS RCPTMAX=1'], answer }, async (partner) => {
      const outcomes = await send(partner, short, { addresses: addresses.slice(0, 2) })
      assert.deepEqual(
        outcomes.map(({ reply }) => reply.enhanced),
        ['2.0.0', '5.7.1'],
      )
      assert.deepEqual(
        partner.received.map(({ recipients }) => recipients),
        [['RCPT TO:<a@one.example>']],
      )
    })
  })

  it('uses a session for as many messages as MAILMAX permits', () =>
    withPartner({ extensions: [...extensions, 'LIMITS MAILMAX=2'] }, async (partner) => {
      const sessions = new BatchSessions()
      for (let number = 0; number < 5; number++)
        await send(partner, short, { open: (hop, options, again) => sessions.open(hop, options, again) })
      await sessions.close()
      assert.deepEqual([partner.received.length, partner.connections()], [5, 3])
    }))
})
