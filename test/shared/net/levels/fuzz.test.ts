/**
 * Attempts to servers that send random data at any point. Mail is sent only when the TLS requirement is met, no attempt
 * throws, and each attempt ends in time.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatReply } from '../../../../shared/mail/reply.ts'
import type { Outcome } from '../../../../shared/net/smtp-delivery.ts'
import type { CertificateName } from '../../../support/hostile-certificates.ts'
import {
  ehloReply,
  type Peer,
  type Reaction,
  type RecordedConnection,
  readyForTls,
  type ServerScript,
} from '../../../support/hostile-server.ts'
import { contentAt, send, serve } from './attempts.ts'
import { cellsOf, chapters, levelNames } from './expected.ts'
import { levels } from './levels.ts'
import { type Misbehaviour, misbehaviours } from './misbehaviours.ts'
import { assertHarmless } from './wire.ts'

/** Whole replies, parts of replies, and other data. */
const fragments = fc.oneof(
  fc.constantFrom(
    '220 2.0.0 Ready\r\n',
    '220-more\r\n',
    '250 2.1.0 OK\r\n',
    '250-STARTTLS\r\n',
    `${ehloReply(['STARTTLS', 'SIZE 1', 'REQUIRETLS'])}\r\n`,
    `${ehloReply(['8BITMIME'])}\r\n`,
    '354 go on\r\n',
    '421 4.3.2 bye\r\n',
    '454 4.7.0 later\r\n',
    '502 5.5.1 what?\r\n',
    '\r\n',
    '\n',
    '2',
    '250',
    // Two TLS records in the clear: a handshake (22), and an alert (21), fatal (2), handshake_failure (40).
    '\x16\x03\x03\x00\x02\x02\x28',
    '\x15\x03\x03\x00\x02\x02\x28',
  ),
  fc.string({ maxLength: 40 }),
)

const endings = fc.constantFrom('stay', 'stay', 'stay', 'close', 'cut', 'reset', 'handshake')

const speech = fc.record({ said: fc.array(fragments, { maxLength: 4 }), ending: endings })
type Speech = typeof speech extends fc.Arbitrary<infer T> ? T : never

/** Generates random conduct with weight 1, and with the given weight undefined, which means correct conduct. */
const mostlyCorrect = (weight: number) =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: speech })

const certificates: CertificateName[] = [
  'good',
  'selfSigned',
  'expired',
  'otherName',
  'otherPublic',
  'clientOnly',
]

const cases = fc.record({
  level: fc.constantFrom(...levelNames),
  certificate: fc.constantFrom(...certificates),
  greeting: mostlyCorrect(6),
  ehlo: mostlyCorrect(2),
  helo: mostlyCorrect(2),
  startTls: mostlyCorrect(2),
  secured: mostlyCorrect(4),
  ehloOverTls: mostlyCorrect(2),
  mail: mostlyCorrect(4),
})
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never

function reaction({ said, ending }: Speech): Reaction {
  return (peer: Peer) => {
    peer.write(said.join(''))
    if (ending === 'close') peer.close()
    if (ending === 'cut') peer.cut()
    if (ending === 'reset') peer.reset()
    if (ending === 'handshake' && !peer.encrypted) peer.startTls(said.length > 0 ? '' : readyForTls)
  }
}

function misbehaviourOf({ level: _, certificate, ...points }: Case): Misbehaviour {
  const said = Object.entries(points).filter(([, each]) => each !== undefined)
  const conduct: ServerScript = Object.fromEntries(said.map(([at, each]) => [at, reaction(each as Speech)]))
  return { conduct: () => conduct, certificate }
}

/** Whether the table expects a delivery over TLS with this certificate. */
function isDeliveryExpected({ level, certificate }: Case): boolean {
  const rows = chapters.flatMap((chapter) => [...chapter.rows])
  const row = rows.find(({ misbehaviours: does }) =>
    (does as readonly (keyof typeof misbehaviours)[]).some((name) =>
      certificate === 'good'
        ? name === 'does nothing wrong'
        : misbehaviours[name].certificate === certificate,
    ),
  )
  assert.ok(row)
  return cellsOf(row)[levelNames.indexOf(level)]?.startsWith('tls') ?? false
}

function check(tried: Case, outcome: Outcome, conversations: readonly RecordedConnection[]): void {
  const level = levels[tried.level]
  const received = conversations.flatMap((each) => each.received)
  assert.ok(outcome.reply.code >= 200 && outcome.reply.code <= 599)
  assert.doesNotMatch(formatReply(outcome.reply), /\p{Cc}/u)
  if (outcome.outcome === 'Delivered')
    assert.ok(outcome.reply.code < 300 && received.length === 1, 'reported as delivered, but not received')
  for (const { content } of received) assert.deepEqual(content, contentAt(level))
  if (level.policy === 'Opportunistic') return
  assert.equal(conversations.length, 1)
  for (const recorded of conversations) assertHarmless(recorded)
  assert.ok(received.every(({ encrypted }) => encrypted))
  if (!isDeliveryExpected(tried)) {
    assert.equal(received.length, 0, 'sent to a server that was not verified')
    for (const { decrypted } of conversations)
      assert.doesNotMatch(decrypted.toString('latin1'), /MAIL|RCPT|4711/)
  }
}

const seed = Number(process.env.FUZZ_SEED ?? 1)
const runs = Number(process.env.FUZZ_RUNS ?? 150)

/** Milliseconds. The timeouts are short because most of these servers stop responding at some point. */
const timeouts = { connect: 20_000, greeting: 400, command: 400, data: 2000 }

describe(`attempts to random servers (FUZZ_SEED=${seed})`, () => {
  it(`send mail only when the TLS requirement is met, in ${runs} runs`, async () => {
    const all = fc.sample(cases, { seed, numRuns: runs })
    const queue = all.entries()
    const outcomes = new Map<string, number>()
    const worker = async () => {
      for (const [index, tried] of queue) {
        const misbehaviour = misbehaviourOf(tried)
        const server = await serve(levels[tried.level], misbehaviour)
        try {
          const outcome = await send(levels[tried.level], misbehaviour, server, { timeouts })
          check(tried, outcome, server.connections)
          outcomes.set(outcome.outcome, (outcomes.get(outcome.outcome) ?? 0) + 1)
        } catch (cause) {
          throw new Error(`case ${index} of seed ${seed}: ${JSON.stringify(tried)}`, { cause })
        } finally {
          await server.stop()
        }
      }
    }
    await Promise.all(Array.from({ length: 60 }, worker))
    // With fewer of an outcome, the generator covers too little.
    for (const outcome of ['Delivered', 'TlsNotMet', 'TemporaryFailure'])
      assert.ok((outcomes.get(outcome) ?? 0) > runs / 100, `${outcome}: ${outcomes.get(outcome) ?? 0}`)
  })
})
