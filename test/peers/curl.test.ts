/** curl sends mail to the ingress, over TLS. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { startTestIngress, type TestIngress } from '../support/ingress/ingress.ts'
import { missing } from '../support/peers/peers.ts'

const skip = missing('curl', 'apt-get install curl')

let ingress: TestIngress
before(async () => {
  if (!skip) ingress = await startTestIngress()
})
after(() => ingress?.drain())

/** @returns curl's exit status and its transcript */
async function send(
  from: string,
  to: string,
  content: string,
): Promise<{ status: number; transcript: string }> {
  const url = `smtp://127.0.0.1:${ingress.smtpPort}/client.example`
  const args = ['--url', url, '--mail-from', from, '--mail-rcpt', to, '--upload-file', '-']
  // The certificate of the test is self-signed.
  const curl = spawn('curl', ['--verbose', '--silent', '--ssl-reqd', '--insecure', ...args])
  let transcript = ''
  for (const stream of [curl.stdout, curl.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      transcript += text
    })
  curl.stdin.end(content)
  const [status] = await once(curl, 'close')
  return { status, transcript }
}

describe('curl', { skip, timeout: 60_000 }, () => {
  it('delivers a message over TLS, and its content is stored unchanged', async () => {
    const content = 'Subject: Hello\r\n\r\n.\r\n..text\r\n'
    const { status, transcript } = await send('a@partner.example', 'b@ours.example', content)
    assert.equal(status, 0, transcript)
    assert.match(transcript, /250 2\.0\.0 Ok: queued as /)
    const { message } = ingress.queue.jobs.at(-1) ?? assert.fail('nothing is queued')
    assert.equal(message.tls.negotiated, true)
    const { key, offset, length } = message.content
    const stored = ingress.bucket.objects
      .get(key)
      ?.subarray(offset, offset + length)
      .toString('latin1')
    assert.ok(stored?.endsWith(content), stored)
  })

  it('shows the refusal of a recipient', async () => {
    const { status, transcript } = await send('a@partner.example', 'b@-', 'Subject: x\r\n\r\n')
    assert.notEqual(status, 0)
    assert.match(transcript, /501 5\.1\.3 Bad recipient address syntax/)
  })
})
