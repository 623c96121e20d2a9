import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countReceived, LineInspector } from '../../../functions/smtp-ingress/inspect.ts'

function isLawful(chunks: readonly Buffer[]): boolean {
  const inspector = new LineInspector()
  for (const chunk of chunks) inspector.see(chunk)
  return inspector.isLawful()
}

/** The rule, octet by octet. */
function obeysTheRule(octets: Buffer): boolean {
  return octets.every(
    (octet, index) =>
      octet !== 0 && (octet !== 13 || octets[index + 1] === 10) && (octet !== 10 || octets[index - 1] === 13),
  )
}

test('a message is lawful exactly when no CR, LF or NUL stands alone, however it is cut', () => {
  const octets = fc.array(fc.constantFrom('\r\n', '\r', '\n', '\0', 'a', '.', 'é'), { maxLength: 12 })
  fc.assert(
    fc.property(octets, fc.array(fc.nat(12)), (parts, cuts) => {
      const message = Buffer.from(parts.join(''))
      const points = [0, ...cuts, message.length]
        .map((cut) => Math.min(cut, message.length))
        .sort((a, b) => a - b)
      const chunks = points.slice(1).map((to, index) => message.subarray(points[index], to))
      assert.equal(isLawful(chunks), obeysTheRule(message))
    }),
    { numRuns: 2000 },
  )
})

const heads: [name: string, head: string, count: number][] = [
  ['none', 'Subject: x\r\n\r\n', 0],
  ['in any case', 'RECEIVED: a\r\nreceived: b\r\nReceived: c\r\n\r\n', 3],
  ['not in the body', 'Received: a\r\n\r\nReceived: b\r\n', 1],
  ['not in a folded line', 'Subject: x\r\n Received: y\r\n\r\n', 0],
  ['not a longer name', 'Received-SPF: pass\r\nX-Received: x\r\n\r\n', 0],
  ['in a head without an end', 'Received: a\r\nReceived: b', 2],
]

for (const [name, head, count] of heads)
  test(`trace headers are counted: ${name}`, () => assert.equal(countReceived(Buffer.from(head)), count))
