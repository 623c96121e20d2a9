/**
 * The gate of a session, when the client sends a command before TLS was assessed. The client never does this, so the
 * test forces it, in a separate process that the gate ends.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { listen } from '../../support/listen.ts'
import { within } from '../../support/within.ts'

const hasty = (port: number) => `
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

test('the gate stops every command of a mail transaction before TLS was assessed', async () => {
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    socket.on('data', (chunk) => {
      heard.push(chunk)
      if (chunk.includes('EHLO')) socket.write('250-mx.partner.example\r\n250 STARTTLS\r\n')
    })
    socket.write('220 mx.partner.example\r\n')
  })
  const { port, stop } = await listen(server)
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', hasty(port)])
  const said: Buffer[] = []
  child.stderr.on('data', (chunk) => said.push(chunk))
  const [status] = await within(30_000, once(child, 'exit'), 'the end of the client')
  await stop()
  const wire = Buffer.concat(heard).toString()
  assert.match(wire, /^EHLO mail\.ours\.example\r\n/)
  assert.doesNotMatch(wire, /MAIL/)
  assert.notEqual(status, 0)
  assert.match(Buffer.concat(said).toString(), /a command of a mail transaction before its TLS was assessed/)
})
