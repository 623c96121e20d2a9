import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  chunkPieces,
  dataPieces,
  type Piece,
  toWireContent,
} from '../../../../shared/net/smtp/wire-content.ts'

const octetsOf = (pieces: Iterable<Piece>): string =>
  Buffer.concat([...pieces].map(({ octets }) => octets)).toString('latin1')

/** The content with CRLF at each line's end, by another way than the code. */
const lines = (text: string): string[] =>
  text
    .replace(/\r\n|\r|\n/g, '\n')
    .replace(/\n$/, '')
    .split('\n')

const texts = fc
  .array(fc.constantFrom('.', '\r', '\n', '\r\n', '\r\n.', 'x', '\xe9'), { maxLength: 40 })
  .map((parts) => parts.join(''))
/** Before the text, so that the text is on the border of what is searched or written at once. */
const prefixes = fc
  .tuple(fc.constantFrom(0, 65_536, 1024 * 1024), fc.nat({ max: 40 }))
  .map(([border, before]) => Math.max(0, border - before))

describe('content on the wire', () => {
  it('has the same lines as the content, and all end in CRLF', () => {
    fc.assert(
      fc.property(texts, prefixes, (text, prefix) => {
        const content = `${'x'.repeat(prefix)}${text}`
        const wire = toWireContent(Buffer.from(content, 'latin1'))
        const expected = lines(content)
        const stuffed = expected.map((line) => (line.startsWith('.') ? `.${line}` : line))
        assert.equal(octetsOf(dataPieces(wire)), `${stuffed.join('\r\n')}\r\n.\r\n`)
        const chunks = octetsOf(chunkPieces(wire)).replace(/BDAT \d+(?: LAST)?\r\n/g, '')
        assert.equal(chunks, `${expected.join('\r\n')}\r\n`)
      }),
      { numRuns: 100 },
    )
  })

  it('is a chunk for each MiB, whose sizes are those of the octets', () => {
    for (const size of [3, 65_536, 65_537, 1024 * 1024, 1024 * 1024 + 1, 3_000_000]) {
      const wire = toWireContent(Buffer.from(`${'x'.repeat(size - 2)}\r\n`))
      const pieces = [...chunkPieces(wire)]
      const sizes = [...octetsOf(pieces).matchAll(/BDAT (\d+)/g)].map(([, chunk]) => Number(chunk))
      assert.equal(
        sizes.reduce((sum, chunk) => sum + chunk, 0),
        size,
      )
      assert.ok(sizes.every((chunk) => chunk <= 1024 * 1024))
      assert.equal(pieces.filter(({ hasReply }) => hasReply).length, sizes.length)
      assert.deepEqual(pieces.map(({ isLast }) => isLast).lastIndexOf(true), pieces.length - 1)
    }
  })
})

const length = 6_000_000

function heapOctetsOf(work: () => unknown): number {
  const before = process.memoryUsage().heapUsed
  const result = work()
  const used = process.memoryUsage().heapUsed - before
  assert.ok(result)
  return used
}

describe('content with many lines', () => {
  for (const [title, line] of [
    ['lines with a dot', '.\r\n'],
    ['lines that end in LF', 'x\n'],
    ['lines that end in CR', 'x\r'],
  ] as const)
    it(`takes no memory of the heap for each of its ${title}`, () => {
      const content = Buffer.alloc(length, line)
      const used = heapOctetsOf(() => {
        const wireContent = toWireContent(content)
        return [wireContent, dataPieces(wireContent).next()]
      })
      assert.ok(used < 2 * length, `${used} octets`)
    })
})
