import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLineWriter, createLog } from '../../../functions/smtp-ingress/log.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

function writer() {
  const written: string[] = []
  return { written, write: createLineWriter((lines) => written.push(lines)) }
}

test('a log line has no control character, whatever the fields are', () => {
  const lines: string[] = []
  createLog((line) => lines.push(line))('info', 'refused', { cause: 'a\u001b[2J\u009b2J\u202e\r\n' })
  assert.doesNotMatch(lines.join('').trimEnd(), /[\p{Cc}\p{Bidi_Control}]/u)
  assert.equal(JSON.parse(lines[0] ?? '').cause, 'a\u001b[2J\u009b2J\u202e\r\n')
})

test('the log writes the first line after a pause together with all lines of its event loop turn', async () => {
  const { written, write } = writer()
  write('a\n')
  write('b\n')
  assert.deepEqual(written, [])
  await turn()
  assert.deepEqual(written, ['a\nb\n'])
})

test('the log collects later lines for 10 ms, and writes the first line after a pause immediately', async (t) => {
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

test('flush writes the waiting log lines once', async () => {
  const { written, write } = writer()
  write('a\n')
  write.flush()
  write.flush()
  await turn()
  assert.deepEqual(written, ['a\n'])
})
