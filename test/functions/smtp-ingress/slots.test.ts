/** A task whose sessions are all in use: which one ends for another client. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inbound } from '../../support/fixtures.ts'
import { startTestIngress, type TestIngress, Wire } from '../../support/ingress/ingress.ts'

const [attacker, otherAttacker, honest, known, ownServer] = [2, 3, 4, 5, 6].map(
  (number) => `127.0.0.${number}`,
)

let ingress: TestIngress
afterEach(() => ingress.drain())

const open = (from: string | undefined) => Wire.greet(ingress.smtpPort, from)

async function send(wire: Wire, from = 'a@elsewhere.example', to = 'b@ours.example'): Promise<string> {
  for (const command of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA']) await wire.command(command)
  wire.write('Subject: x\r\n')
  return wire.command('.')
}

test('clients that fill a task with idle sessions lock no client out, and known and attributed senders are kept', {
  timeout: 60_000,
}, async () => {
  ingress = await startTestIngress({
    settings: { MAX_CONNECTIONS: 20, MAX_CONNECTIONS_PER_ADDRESS: 20 },
    inbound: [
      inbound({
        name: 'Our server',
        connectorType: 'OnPremises',
        senderDomains: ['ours.example'],
        senderIpAddresses: [ownServer ?? ''],
        requireTls: false,
      }),
    ],
  })
  const knownWire = await open(known)
  assert.match(await send(knownWire), /^250 /)
  const ownWire = await open(ownServer)
  assert.match(await send(ownWire, 'a@ours.example', 'b@elsewhere.example'), /^250 /)
  const idle = [...(await Promise.all(Array.from({ length: 9 }, () => open(attacker))))]
  idle.push(...(await Promise.all(Array.from({ length: 9 }, () => open(otherAttacker)))))
  // The attackers send as much as keeps the timeouts away.
  await delay(6_000)
  await Promise.all(idle.map((wire) => wire.command('NOOP')))
  for (let number = 0; number < 10; number++) {
    const wire = await open(honest)
    assert.match(await send(wire), /^250 /)
  }
  assert.match(await send(knownWire), /^250 /)
  assert.match(await send(ownWire, 'a@ours.example', 'b@elsewhere.example'), /^250 /)
  const ended = ingress.lines.filter(
    ({ message, reason }) => message === 'refused' && reason === 'IdleSession',
  )
  assert.ok(ended.length >= 9, `${ended.length} sessions ended`)
  assert.deepEqual([...new Set(ended.map(({ ip }) => ip))].sort(), [attacker, otherAttacker])
})
