import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineWriter } from '../../../functions/smtp-ingress/log.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

function writer() {
  const written: string[] = []
  return { written, write: lineWriter((lines) => written.push(lines)) }
}

test('a line after a pause is written with what its turn of the event loop brings', async () => {
  const { written, write } = writer()
  write('a\n')
  write('b\n')
  assert.deepEqual(written, [])
  await turn()
  assert.deepEqual(written, ['a\nb\n'])
})

test('lines that follow are gathered, and after a pause the next is written at once again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { written, write } = writer()
  write('a\n')
  await turn()
  for (const line of ['b\n', 'c\n']) {
    write(line)
    await turn()
  }
  assert.deepEqual(written, ['a\n'])
  t.mock.timers.tick(10)
  assert.deepEqual(written, ['a\n', 'b\nc\n'])
  t.mock.timers.tick(10)
  write('d\n')
  await turn()
  assert.deepEqual(written, ['a\n', 'b\nc\n', 'd\n'])
})

test('what waits at the end is written once', async () => {
  const { written, write } = writer()
  write('a\n')
  write.flush()
  write.flush()
  await turn()
  assert.deepEqual(written, ['a\n'])
})
