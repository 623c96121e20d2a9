/**
 * Tests every level against every misbehaviour of a server. The outcome must be that of the tables in expected.ts, and
 * no part of a message may be in the clear unless the level permits it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TlsResult } from '../../../../shared/contract/tls-result.ts'
import { formatReply, reply } from '../../../../shared/mail/reply.ts'
import type { Outcome, SessionRecord } from '../../../../shared/net/smtp-delivery.ts'
import type { MtaStsState } from '../../../../shared/policy/hop-facts.ts'
import { assessServerTls } from '../../../../shared/tls/assess-server-tls.ts'
import { host } from '../../../support/hostile-certificates.ts'
import { ehloReply, type Peer, type RecordedConnection } from '../../../support/hostile-server.ts'
import { type AttemptOverrides, contentAt, send, serve } from './attempts.ts'
import { cellsOf, chapters, levelNames, type MisbehaviourName, type Row, sentenceOf } from './expected.ts'
import { type Level, levels } from './levels.ts'
import { type Misbehaviour, misbehaviours } from './misbehaviours.ts'
import { assertHarmless, opening } from './wire.ts'

interface Cell {
  outcome: Outcome
  connections: readonly RecordedConnection[]
}

async function attempt(
  level: Level,
  misbehaviour: Misbehaviour,
  under: AttemptOverrides = {},
): Promise<Cell> {
  const server = await serve(level, misbehaviour)
  try {
    const outcome = await send(level, misbehaviour, server, under)
    return { outcome, connections: server.connections }
  } finally {
    await server.stop()
  }
}

/** Returns the outcome in the notation of the table. */
function toCellText({ outcome, connections }: Cell): string {
  const received = connections.flatMap((each) => each.received)
  const deliveredText = received[0]?.encrypted ? 'tls' : 'clear'
  const cellText = outcome.outcome === 'Delivered' ? deliveredText : outcome.reply.enhanced
  return outcome.reportOnly ? `${cellText}/${outcome.reportOnly.enhanced}` : cellText
}

/** RFC 3463: class 2 is success, 4 temporary, 5 permanent. TlsNotMet has all codes 4.7.x except 4.7.0 and 4.7.1. */
function expectedOutcome(cellText: string): Outcome['outcome'] {
  if (cellText === 'tls' || cellText === 'clear') return 'Delivered'
  if (/^4\.7\.(?![01]$)/.test(cellText)) return 'TlsNotMet'
  return cellText.startsWith('5') ? 'PermanentFailure' : 'TemporaryFailure'
}

function expectedResult(cell: string, result: TlsResult | null): TlsResult | null {
  if (cell.includes('4.7.323')) return 'tlsa-invalid'
  return cell === 'tls' ? 'success' : result
}

function check(cell: Cell, expected: string, level: Level, result: TlsResult | null): void {
  const { outcome, connections } = cell
  const [cellText = ''] = expected.split('/')
  assert.equal(toCellText(cell), expected, formatReply(outcome.reply))
  assert.equal(outcome.outcome, expectedOutcome(cellText))
  if (outcome.outcome === 'TlsNotMet') assert.equal(outcome.reply.code, 451)
  assert.deepEqual([outcome.policy, outcome.policySource], [level.policy, level.source])
  assert.equal(outcome.tlsResult, expectedResult(expected, result))
  if (level.source === 'MtaSts' && cellText === '4.7.5')
    assert.equal(outcome.reply.text.startsWith('MTA-STS: '), result?.startsWith('certificate-'))
  assert.equal(outcome.tls !== null && outcome.outcome === 'Delivered', cellText === 'tls')
  const received = connections.flatMap((each) => each.received)
  assert.deepEqual(
    received.map(({ content }) => content.toString()),
    outcome.outcome === 'Delivered' ? [contentAt(level).toString()] : [],
  )
  for (const connection of connections) checkWire(connection, cellText)
  if (cellText === 'tls') assert.equal(connections[0]?.serverName, host)
  if (level.requireTls && cellText === 'tls')
    assert.match(connections[0]?.decrypted.toString() ?? '', /^MAIL FROM:<\S+> .*\bREQUIRETLS\r$/m)
  if (level.policy !== 'Opportunistic') assert.equal(connections.length, 1, 'it connected again')
}

/** Asserts that no part of the message is in the clear, unless the level permits it. */
function checkWire(connection: RecordedConnection, cellText: string): void {
  const { wire, decrypted, received, fault } = connection
  assert.equal(fault, null)
  if (cellText !== 'clear' && cellText !== '4.7.0') assertHarmless(connection)
  // After a failed handshake, the message uses a new connection. There, no octet is 0x16, which begins a handshake.
  if (received.some(({ encrypted }) => !encrypted)) assert.ok(!wire.includes(0x16))
  // A server with an unexpected reply to DATA has received the envelope.
  if (cellText === '4.5.0') assert.doesNotMatch(decrypted.toString('latin1'), /4711/)
  else if (cellText !== 'tls') assert.match(decrypted.toString('latin1'), opening)
  assert.doesNotMatch(decrypted.toString('latin1'), /STARTTLS/)
}

/** Limits the concurrent cells: few cells that need the processor, many cells that only wait. */
const limits = { busy: concurrencyLimiter(12), waiting: concurrencyLimiter(100) }

function concurrencyLimiter(max: number) {
  let free = max
  const waiting: (() => void)[] = []
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    else free -= 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
}

async function checkRow(name: MisbehaviourName, row: Row): Promise<void> {
  const expected = cellsOf(row)
  const runLimited = misbehaviours[name].stalls ? limits.waiting : limits.busy
  const failures = await Promise.all(
    levelNames.map(async (levelName, column) => {
      const cell = await runLimited(() => attempt(levels[levelName], misbehaviours[name]))
      try {
        check(cell, expected[column] ?? '', levels[levelName], row.result)
        return null
      } catch (error) {
        return `${levelName}: ${error instanceof Error ? error.message : error}`
      }
    }),
  )
  const faults = failures.filter((fault) => fault !== null)
  assert.equal(faults.length, 0, faults.join('\n'))
}

for (const { title, subject, rows } of chapters)
  describe(title, { concurrency: 100 }, () => {
    for (const row of rows as readonly Row<MisbehaviourName>[])
      for (const name of row.misbehaviours)
        it(`${subject} ${name}: each level has its outcome of expected.ts`, () => checkRow(name, row))
  })

describe('An attempt makes no connection for', () => {
  const unlisted: MtaStsState = {
    kind: 'Policy',
    policy: { id: '1', mode: 'enforce', mx: ['mx.elsewhere.example'], maxAge: 86_400 },
  }
  const unsaid = { kind: 'None', fault: { result: 'sts-policy-fetch-error', detail: 'no answer' } } as const
  const failing = (bogus: boolean, enhanced: string): NonNullable<Level['dane']> => {
    const answer = reply(451, enhanced, 'DNS')
    return () => ({ kind: 'Failed', reply: answer, bogus })
  }
  const requireTls: Level = { ...levels.REQUIRETLS, authentic: false }
  const refusals: [string, Level, string, Outcome['outcome'], TlsResult][] = [
    [
      'an MX host that the MTA-STS policy does not list',
      { ...levels['MTA-STS enforce'], mtaSts: unlisted },
      '451 4.4.8',
      'TlsNotMet',
      'validation-failure',
    ],
    [
      'an MX host whose TLSA query fails',
      { ...levels['DANE 3 1 1'], dane: failing(false, '4.4.312') },
      '451 4.4.312',
      'TemporaryFailure',
      'dnssec-invalid',
    ],
    [
      'an MX host whose TLSA records are bogus',
      { ...levels['DANE 3 1 1'], dane: failing(true, '4.7.324') },
      '451 4.7.324',
      'TlsNotMet',
      'dnssec-invalid',
    ],
    [
      'REQUIRETLS and an unproven MX when no policy exists',
      requireTls,
      '550 5.7.10',
      'PermanentFailure',
      'validation-failure',
    ],
    [
      'REQUIRETLS and an unproven MX when the MTA-STS policy cannot be fetched',
      { ...requireTls, mtaSts: unsaid },
      '451 4.7.10',
      'TlsNotMet',
      'validation-failure',
    ],
  ]
  for (const [cellText, level, code, outcomeName, result] of refusals)
    it(`${cellText}, and ends with ${code}`, async () => {
      const { outcome, connections } = await attempt(level, {})
      assert.equal(outcome.outcome, outcomeName)
      assert.ok(formatReply(outcome.reply).startsWith(`${code} `), formatReply(outcome.reply))
      assert.deepEqual([outcome.policy, outcome.policySource], [level.policy, level.source])
      assert.equal(outcome.tlsResult, result)
      assert.equal(connections.length, 0)
    })
})

describe('Several report-only requirements', () => {
  /** A report-only connector that trusts the partner's own CA, and a testing policy that trusts the public CAs. */
  const level: Level = {
    ...levels['MTA-STS testing'],
    tls: (setup) => ({ ...levels['own CAs'].tls?.(setup), mode: 'ReportOnly' }),
  }
  const expectedRows: [MisbehaviourName, (string | null)[]][] = [
    ['does nothing wrong', ['4.7.320', null]],
    ["is of the partner's own CA", [null, '4.7.5']],
    ['is self-signed', ['4.7.320', '4.7.5']],
    ['offers no STARTTLS', ['4.7.321', '4.7.321']],
  ]
  for (const [name, failures] of expectedRows)
    it(`are each assessed with their own trust anchors when ${sentenceOf(name)}`, async () => {
      const records: SessionRecord[] = []
      const record = (session: SessionRecord) => void records.push(session)
      const { outcome } = await attempt(level, misbehaviours[name], { recordSession: record })
      const [session] = records
      assert.ok(session?.tls)
      const { tls } = session
      assert.deepEqual(
        session.reportOnly.map(
          ({ requirement }) => assessServerTls(requirement, tls, new Date())?.reply.enhanced ?? null,
        ),
        failures,
      )
      assert.equal(outcome.reportOnly?.enhanced ?? null, failures.find((fault) => fault !== null) ?? null)
    })
})

describe('A report-only connector with own CAs', () => {
  const reportOnlyLevel: Pick<Level, 'tls'> = {
    tls: (setup) => ({ ...levels['own CAs'].tls?.(setup), mode: 'ReportOnly' }),
  }
  const rows: [string, Level, MisbehaviourName, string | null, TlsResult, boolean][] = [
    [
      'DANE 3 1 1',
      { ...levels['DANE 3 1 1'], ...reportOnlyLevel },
      'is self-signed',
      '4.7.320',
      'success',
      true,
    ],
    [
      'MTA-STS',
      { ...levels['MTA-STS enforce'], ...reportOnlyLevel },
      'does nothing wrong',
      '4.7.320',
      'success',
      true,
    ],
    [
      'DANE unusable',
      { ...levels['DANE unusable'], ...reportOnlyLevel },
      'does nothing wrong',
      '4.7.320',
      'success',
      false,
    ],
    [
      'DANE unusable',
      { ...levels['DANE unusable'], ...reportOnlyLevel },
      "is of the partner's own CA",
      null,
      'success',
      true,
    ],
    [
      'Opportunistic',
      { ...levels.Opportunistic, ...reportOnlyLevel },
      'does nothing wrong',
      '4.7.320',
      'certificate-not-trusted',
      false,
    ],
    [
      'Opportunistic',
      { ...levels.Opportunistic, ...reportOnlyLevel },
      "is of the partner's own CA",
      null,
      'success',
      true,
    ],
  ]
  for (const [cellText, level, name, reportOnly, result, verified] of rows)
    it(`is reported as ${reportOnly ?? 'met'} beside the enforced requirement ${cellText} when ${sentenceOf(name)}`, async () => {
      const { outcome } = await attempt(level, misbehaviours[name])
      assert.equal(outcome.outcome, 'Delivered', formatReply(outcome.reply))
      assert.equal(outcome.reportOnly?.enhanced ?? null, reportOnly)
      assert.equal(outcome.tlsResult, result)
      assert.equal(outcome.tls?.verified, verified)
      assert.equal(outcome.tls?.notVerified === null, verified)
    })
})

describe('An attempt to a server that closes after its reply to EHLO over TLS', () => {
  const replies = {
    'a valid': `\n${ehloReply(['8BITMIME'])}\r\n`,
    'an invalid': '\r\nnonsense\r\n',
  }
  for (const [cellText, octets] of Object.entries(replies))
    it(`ends in TemporaryFailure after ${cellText} reply`, async () => {
      const act = (peer: Peer) => {
        peer.write(octets)
        peer.close()
      }
      const gone: Misbehaviour = { conduct: () => ({ ehloOverTls: act }) }
      const tries = Array.from({ length: 40 }, () => attempt(levels.EncryptionOnly, gone))
      for (const { outcome, connections } of await Promise.all(tries)) {
        assert.equal(outcome.outcome, 'TemporaryFailure', formatReply(outcome.reply))
        assert.equal(connections.flatMap(({ received }) => received).length, 0)
      }
    })
})

describe('A server that sends its reply to EHLO one octet at a time without end', () => {
  /** An endless reply to EHLO, octet by octet, so that no timeout of silence fires. */
  const trickling: Misbehaviour = { conduct: () => ({ ehlo: (peer) => peer.trickle(Buffer.from('250-A')) }) }
  for (const name of ['Opportunistic', 'DomainValidation'] as const)
    it(`is abandoned when the attempt times out, at ${name}`, async () => {
      const { outcome, connections } = await attempt(levels[name], trickling, {
        signal: AbortSignal.timeout(500),
      })
      assert.equal(formatReply(outcome.reply), '451 4.4.315 Connection timed out')
      assert.equal(outcome.outcome, 'TemporaryFailure')
      assert.equal(connections.length, 1)
    })
})

describe('the tables in expected.ts', () => {
  it('have a cell for every level in each row', () => {
    for (const { rows } of chapters)
      for (const row of rows) assert.equal(cellsOf(row).length, levelNames.length, row.misbehaviours[0])
  })
})
