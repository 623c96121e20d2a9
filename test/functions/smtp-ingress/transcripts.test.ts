/**
 * Plays every transcript in test/transcripts, octet for octet, against the real server. Lines of a transcript:
 *
 *     # a comment
 *     connector {json}          an inbound connector; {fingerprint} stands for the client certificate's
 *     set NAME VALUE            a setting of the ingress
 *     fails storage|connectors  storage or connectors fail from the start
 *     C: text                   the client sends text and CRLF; \r \n \0 \xHH \\ are octets, \x not above 7f;
 *                               consecutive lines are sent in one write
 *     C*31: text                the client sends the line 31 times
 *     B: text                   the client sends text without CRLF
 *     S: text                   the server must reply exactly this; {id} stands for a message id
 *     TLS                       a handshake
 *     TLS with certificate      a handshake with a client certificate for mail.contoso.example
 *     stored a@b, c@d: text     the last message was stored for these recipients; after the ingress's header, its
 *                               content is this text, with escapes as above
 *     closed                    the server has closed the connection
 *
 * At the end the client closes the connection. The server must send no further octets, and must have stored one message
 * for each 250.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ContentReader } from '../../../shared/content/content-reader.ts'
import { inbound } from '../../support/fixtures.ts'
import { startTestIngress, type TestIngress, type Wire } from '../../support/ingress/ingress.ts'
import { selfSigned } from '../../support/pki.ts'

const folder = new URL('../../transcripts/', import.meta.url)
const client = await selfSigned({ names: ['mail.contoso.example'] })
const fingerprint = new X509Certificate(client.cert).fingerprint256

// Concurrent, because most of the time is the delay of the greeting.
describe('the ingress replies as in the transcript', { concurrency: 8 }, () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.smtp'))) {
    const lines = readFileSync(new URL(file, folder), 'utf8').split('\n')
    const [comment = ''] = lines.filter((line) => line.startsWith('#'))
    it(`${file}: ${comment.slice(2)}`, async () => {
      const steps = lines.filter((line) => line !== '' && !line.startsWith('#'))
      const ingress = await prepare(steps)
      const wire = await ingress.connect()
      try {
        await play(steps, wire, ingress)
        assert.equal(await wire.end(), '', 'no further octets')
        const queued = steps.filter((step) => step.startsWith('S: 250 2.0.0 Ok: queued'))
        assert.equal(ingress.queue.jobs.length, queued.length, 'messages stored')
      } finally {
        await ingress.drain()
      }
    })
  }
})

async function prepare(steps: readonly string[]): Promise<TestIngress> {
  const values = (word: string) =>
    steps.flatMap((step) => (step.startsWith(`${word} `) ? [step.slice(word.length + 1)] : []))
  const ingress = await startTestIngress({
    inbound: values('connector').map((json) =>
      inbound(JSON.parse(json.replace('{fingerprint}', fingerprint))),
    ),
    settings: Object.fromEntries(
      values('set')
        .map((setting) => setting.split(' '))
        .map(([name, value = '']) => [name, /^\d+$/.test(value) ? Number(value) : value]),
    ),
  })
  const fails = values('fails')
  ingress.connectors.fail = fails.includes('connectors')
  if (fails.includes('storage')) ingress.bucket.before = () => Promise.reject(new Error('the bucket is away'))
  return ingress
}

async function play(steps: readonly string[], wire: Wire, ingress: TestIngress): Promise<void> {
  let pending = ''
  for (const step of steps) {
    const [, kind, times, text] = /^([BC])(?:\*(\d+))?: ?(.*)$/.exec(step) ?? []
    if (text !== undefined) {
      pending += `${octets(text)}${kind === 'C' ? '\r\n' : ''}`.repeat(Number(times ?? 1))
      continue
    }
    if (pending !== '') wire.write(pending)
    pending = ''
    if (step.startsWith('S: ')) assert.equal(withoutId(await wire.line()), step.slice(3))
    else if (step === 'TLS') await wire.secure()
    else if (step === 'TLS with certificate') await wire.secure(client)
    else if (step.startsWith('stored ')) assert.equal(`stored ${await lastStored(ingress)}`, octets(step))
    else if (step === 'closed') assert.equal(await wire.line(), null)
    else assert.match(step, /^(connector|set|fails) /, 'a known step')
  }
  assert.equal(pending, '', 'a transcript does not end with C:')
}

async function lastStored({ bucket, queue }: TestIngress): Promise<string> {
  const job = queue.jobs.at(-1)
  assert.ok(job, 'nothing is stored')
  const content = (await new ContentReader(bucket.client).read(job.message.content)).toString()
  const addresses = job.recipients.map(({ address }) => address)
  return `${addresses.join(', ')}: ${content.replace(/^Received: [^;]*;\r\n\t[^\r]*\r\n/, '')}`
}

function octets(text: string): string {
  const escapes: Record<string, string> = { r: '\r', n: '\n', '0': '\0', '\\': '\\' }
  return text.replace(/\\(?:([rn0\\])|x([0-7][0-9a-f]))/g, (_, letter: string, hexadecimal: string) =>
    letter ? (escapes[letter] ?? '') : String.fromCharCode(Number.parseInt(hexadecimal, 16)),
  )
}

function withoutId(line: string | null): string | null {
  return line?.replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/, '{id}') ?? null
}
