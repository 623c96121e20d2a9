import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  HeaderSectionChecker,
  maxHops,
} from '../../../../functions/smtp-ingress/intake/header-section-checker.ts'

/** @returns the reason of the refusal of a message in these pieces, or null */
function refusalReason(pieces: readonly Buffer[], maximum: number): string | null {
  const section = new HeaderSectionChecker(maximum)
  for (const piece of pieces) {
    const refusal = section.read(piece)
    if (refusal !== null) return refusal.reason
  }
  return null
}

const hops = (count: number, name = 'Received') => `${name}: from a by b\r\n`.repeat(count)
const subject = (octets: number) => `Subject: ${'x'.repeat(octets - 11)}\r\n`

const rows: [name: string, message: string, maximum: number, reason: string | null][] = [
  ['an empty message', '', 100, null],
  ['a message of an empty line', '\r\n', 100, null],
  ['a message without header section', '\r\nReceived: x\r\n'.repeat(40), 100, null],
  ['thirty hops', `${hops(30)}\r\nText\r\n`, 10_000, null],
  ['thirty-one hops', `${hops(31)}\r\nText\r\n`, 10_000, 'HopCountExceeded'],
  [
    'thirty-one hops in any letter case',
    `${hops(16, 'RECEIVED')}${hops(15, 'received')}\r\n`,
    10_000,
    'HopCountExceeded',
  ],
  [
    'thirty-one hops with spaces before the colon',
    `${hops(16, 'Received ')}${hops(15, 'received \t  ')}\r\n`,
    10_000,
    'HopCountExceeded',
  ],
  ['Received: lines in the text', `Subject: x\r\n\r\n${hops(50)}`, 10_000, null],
  [
    'fields whose names only begin or end with Received',
    `${hops(40, 'Received-SPF')}${hops(40, 'X-Received')}\r\n`,
    10_000,
    null,
  ],
  [
    'folded lines that begin with Received',
    `Subject: x\r\n${' Received: x\r\n'.repeat(40)}\r\n`,
    10_000,
    null,
  ],
  ['thirty-one hops without an empty line after them', hops(31), 10_000, 'HopCountExceeded'],
  ['a header section of maximum size', `${subject(100)}\r\n${'text\r\n'.repeat(100)}`, 100, null],
  [
    'a header section of one octet more than the maximum',
    `${subject(101)}\r\nText\r\n`,
    100,
    'HeaderTooLarge',
  ],
  ['a header section of maximum size without an empty line', subject(100), 100, null],
  [
    'a header section of one octet more than the maximum without an empty line',
    subject(101),
    100,
    'HeaderTooLarge',
  ],
]

for (const [name, message, maximum, reason] of rows)
  test(`HeaderSectionChecker ${reason === null ? 'accepts' : `refuses with ${reason}`} ${name}, whole and octet by octet`, () => {
    const octets = Buffer.from(message)
    assert.equal(refusalReason([octets], maximum), reason)
    assert.equal(
      refusalReason(
        Array.from(octets, (octet) => Buffer.of(octet)),
        maximum,
      ),
      reason,
    )
  })

/** Applies RFC 5322 §2.1 to the whole message in one piece. */
function expectedReasons(message: string, maximum: number): Set<string> {
  const [headerPart = ''] = `\r\n${message}`.split('\r\n\r\n', 1)
  const section =
    headerPart.length === message.length + 2 ? headerPart.slice(2) : `${headerPart}\r\n`.slice(2)
  const reasons = new Set<string>()
  if (section.length > maximum) reasons.add('HeaderTooLarge')
  if (section.split('\r\n').filter((line) => /^received[ \t]*:/i.test(line)).length > maxHops)
    reasons.add('HopCountExceeded')
  return reasons
}

test('HeaderSectionChecker finds the same faults however a message is split', () => {
  const line = fc.constantFrom(
    'Received: x',
    'received:',
    'Received \t: x',
    'Received x',
    'Received \t',
    'X: y',
    ' Received: x',
    '',
    '\r',
    'x'.repeat(50),
  )
  const message = fc
    .tuple(fc.nat(31), fc.array(line, { maxLength: 12 }))
    .map(([count, lines]) => hops(count) + lines.map((text) => `${text}\r\n`).join(''))
  const cuts = fc.array(fc.nat(700), { maxLength: 10 })
  fc.assert(
    fc.property(message, cuts, fc.integer({ min: 50, max: 700 }), (message, cuts, maximum) => {
      const octets = Buffer.from(message)
      const edges = [0, ...cuts.filter((cut) => cut < octets.length).sort((a, b) => a - b), octets.length]
      const pieces = edges.slice(1).map((edge, index) => octets.subarray(edges[index], edge))
      const reasons = expectedReasons(message, maximum)
      const reason = refusalReason(pieces, maximum)
      assert.ok(reason === null ? reasons.size === 0 : reasons.has(reason), `${reason}, not ${[...reasons]}`)
    }),
    { numRuns: 500 },
  )
})
