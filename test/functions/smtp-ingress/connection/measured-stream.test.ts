import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { MeasuredStream } from '../../../../functions/smtp-ingress/connection/measured-stream.ts'

function measured(maxOctets = 100) {
  const [client, server] = duplexPair()
  client.on('error', () => {})
  const calls: string[] = []
  const state = { mustEnd: false }
  const stream = new MeasuredStream(server as unknown as Socket, {
    maxOctets,
    shouldEnd: () => state.mustEnd,
    onTooLarge: () => calls.push('too large'),
    onTime: (totalMs, addedMs) => calls.push(`time ${totalMs >= addedMs && addedMs >= 0}`),
  })
  const passed: string[] = []
  stream.on('data', (octets: Buffer) => passed.push(octets.toString()))
  return { client, stream, calls, state, passed }
}

test('a measured handshake counts the time of each chunk before the next is read', async () => {
  const { client, calls, passed } = measured()
  client.write('one')
  client.write('two')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(passed.join(''), 'onetwo')
  assert.ok(calls.length >= 1 && calls.every((call) => call === 'time true'), calls.join())
})

test('a measured handshake ends at its limit of octets, and passes none beyond it', async () => {
  const { client, stream, calls, passed } = measured(10)
  const failed = once(stream, 'error')
  client.write('x'.repeat(11))
  const [error] = await failed
  assert.equal((error as NodeJS.ErrnoException).code, 'EMSGSIZE')
  assert.deepEqual([calls, passed], [['time true', 'too large'], ['x'.repeat(10)]])
})

test('octets after the handshake do not count, even if they arrive with its last octets', async () => {
  const { client, stream, calls, passed } = measured(10)
  stream.prependListener('data', () => stream.endHandshake())
  await new Promise((resolve) => setImmediate(resolve))
  client.write(`handshake-${'x'.repeat(1000)}`)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([calls, passed.join('').length], [['time true'], 1010])
})

test('a measured handshake ends before its next chunk when the client has become expensive', async () => {
  const { client, stream, state, passed } = measured()
  client.write('hello')
  await new Promise((resolve) => setImmediate(resolve))
  state.mustEnd = true
  const failed = once(stream, 'error')
  client.write('certificate')
  await failed
  assert.deepEqual(passed, ['hello'])
})

test('after its handshake a session has neither limit, and is not measured', async () => {
  const { client, stream, calls, state, passed } = measured(10)
  stream.endHandshake()
  state.mustEnd = true
  client.write('x'.repeat(1000))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([calls, passed.join('').length], [[], 1000])
})
