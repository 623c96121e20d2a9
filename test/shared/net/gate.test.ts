/**
 * Tests the gate against a client that sends MAIL before TLS was assessed. The real client never does, so the test
 * patches it. The gate throws an error that nothing catches, which ends the process, so the client runs in its own
 * process.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { listen } from '../../support/listen.ts'
import { within } from '../../support/within.ts'

const programThatSendsMailTooEarly = (port: number) => `
  import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js'
  import { defaultTimeouts } from './shared/net/gated-connection.ts'
  import { openSession } from './shared/net/smtp-session.ts'
  import { opportunistic } from './shared/tls/requirement.ts'
  SMTPConnection.prototype._actionEHLO = function () {
    this._sendCommand('MAIL FROM:<a@ours.example>')
  }
  await openSession({ host: 'mx.partner.example', ip: '127.0.0.1', port: ${port} }, {
    ehloName: 'mail.ours.example',
    enforced: { ...opportunistic, level: 'EncryptionOnly', source: 'Connector' },
    serverName: 'mx.partner.example',
    timeouts: defaultTimeouts,
    signal: AbortSignal.timeout(10_000),
  })
`

test('the gate ends the process instead of sending MAIL when TLS was not assessed before', async () => {
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    socket.on('data', (chunk) => {
      heard.push(chunk)
      if (chunk.includes('EHLO')) socket.write('250-mx.partner.example\r\n250 STARTTLS\r\n')
    })
    socket.write('220 mx.partner.example\r\n')
  })
  const { port, stop } = await listen(server)
  const child = spawn(process.execPath, [
    '--input-type=module-typescript',
    '-e',
    programThatSendsMailTooEarly(port),
  ])
  const said: Buffer[] = []
  child.stderr.on('data', (chunk) => said.push(chunk))
  const [status] = await within(30_000, once(child, 'exit'), 'the end of the client')
  await stop()
  const wire = Buffer.concat(heard).toString()
  assert.match(wire, /^EHLO mail\.ours\.example\r\n/)
  assert.doesNotMatch(wire, /MAIL/)
  assert.notEqual(status, 0)
  assert.match(
    Buffer.concat(said).toString(),
    /a command of a mail transaction before the session's TLS was assessed/,
  )
})
