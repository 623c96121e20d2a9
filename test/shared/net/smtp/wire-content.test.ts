/** Content on the wire needs little memory besides the content, whatever its lines are. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dataPieces, toWireContent } from '../../../../shared/net/smtp/wire-content.ts'

const length = 6_000_000

function heapOctetsOf(work: () => unknown): number {
  const before = process.memoryUsage().heapUsed
  const result = work()
  const used = process.memoryUsage().heapUsed - before
  assert.ok(result)
  return used
}

describe('content on the wire', () => {
  for (const [title, line] of [
    ['lines with a dot', '.\r\n'],
    ['lines that end in LF', 'x\n'],
    ['lines that end in CR', 'x\r'],
  ] as const)
    it(`takes no memory of the heap for each of many ${title}`, () => {
      const content = Buffer.alloc(length, line)
      const used = heapOctetsOf(() => {
        const wireContent = toWireContent(content)
        return [wireContent, dataPieces(wireContent).next()]
      })
      assert.ok(used < length, `${used} octets`)
    })
})
