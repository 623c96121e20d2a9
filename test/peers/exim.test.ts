/** Exim sends by BDAT to the ingress (RFC 3030), and receives by BDAT. Its log says that it used CHUNKING: ` K `. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startTestIngress, type TestIngress, Wire } from '../support/ingress/ingress.ts'
import { Exim, missingExim } from '../support/peers/exim.ts'
import { selfSigned } from '../support/pki.ts'

const skip = missingExim()

let ingress: TestIngress
let exim: Exim

before(async () => {
  if (skip) return
  ingress = await startTestIngress({ settings: { MAX_HEADER_SIZE: 20_000 } })
  const tls = await selfSigned({ names: ['mx.partner.example'] })
  exim = await Exim.start({ domain: 'partner.example', tls, nextHopPort: ingress.smtpPort })
})

after(async () => {
  await exim?.stop()
  await ingress?.drain()
})

function storedContent({ key, offset, length }: { key: string; offset: number; length: number }): string {
  const content = ingress.bucket.objects.get(key)?.subarray(offset, offset + length)
  return content?.toString('latin1') ?? assert.fail('nothing is stored')
}

describe('Exim as a client of the ingress', { skip, timeout: 60_000 }, () => {
  const dots = ['.', '..', '.a', 'RSET', '.']
  const rows: [description: string, body: string[]][] = [
    ['a short message', ['text']],
    ['lines that begin with a dot', dots],
    ['200 KB, in several chunks', Array(4000).fill(`${'x'.repeat(48)}.`)],
    ['an empty body', []],
  ]
  for (const [index, [description, body]] of rows.entries())
    it(`sends ${description} by BDAT over TLS, and the content is stored unchanged`, async () => {
      const from = `a${index}@partner.example`
      const lines = [`Subject: ${description}`, '', ...body]
      await exim.send(from, ['b@ours.example'], `${lines.join('\n')}\n`)
      const job = ingress.queue.jobs.find(({ message }) => message.envelope.mailFrom === from)
      assert.ok(job, exim.log.join('\n'))
      const delivered = exim.log.find((text) => text.includes(job.message.id)) ?? ''
      assert.match(delivered, / => b@ours\.example .*X=TLS1\.3.* K .*C="250 2\.0\.0 Ok: queued as /)
      assert.equal(job.message.tls.negotiated, true)
      assert.ok(
        storedContent(job.message.content).endsWith(`\r\n\r\n${body.map((text) => `${text}\r\n`).join('')}`),
      )
    })

  it('gets the reply of a refused chunk, and bounces', async () => {
    const header = Array.from({ length: 300 }, (_, index) => `X-Field-${index}: ${'x'.repeat(80)}`)
    await exim.send('large@partner.example', ['b@ours.example'], `${header.join('\n')}\n\ntext\n`)
    await exim.logged(/\*\* b@ours\.example .*552 5\.3\.4 Message header exceeds 20000 octets/)
    assert.ok(
      !ingress.queue.jobs.some(({ message }) => message.envelope.mailFrom === 'large@partner.example'),
    )
  })

  // The ingress requests a certificate only in the first handshake of a client that has none, and a certificate might
  // permit to relay. So each of these tests has its own ingress.
  const refusedRows: [description: string, recipients: string[], stored: number][] = [
    [
      'the refusal of one recipient, and the message is stored for the other',
      ['d@foreign.example', 'c@ours.example'],
      1,
    ],
    ['the refusal of each recipient, and sends no message', ['d@foreign.example'], 0],
  ]
  for (const [description, recipients, stored] of refusedRows)
    it(`gets ${description}`, async () => {
      const other = await startTestIngress()
      const client = await Exim.start({ domain: 'partner.example', nextHopPort: other.smtpPort })
      try {
        await client.send('a@partner.example', recipients, 'Subject: x\n\ntext\n')
        await client.logged(/\*\* d@foreign\.example .*550 5\.7\.64 Relay access denied/)
        if (stored > 0) await client.logged(/=> c@ours\.example .* K /)
        assert.equal(other.queue.jobs.length, stored)
      } finally {
        await client.stop()
        await other.drain()
      }
    })
})

describe('Exim as a server', { skip, timeout: 60_000 }, () => {
  it('offers CHUNKING and receives a message by BDAT', async () => {
    const wire = await Wire.open(exim.port)
    await wire.reply()
    assert.match(await wire.command('EHLO client.example'), /^250-CHUNKING$/m)
    const chunks = ['Subject: by chunks\r\n\r\n.\r\n', '..two dots\r\n']
    wire.write('MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@partner.example>\r\n')
    wire.write(`BDAT ${chunks[0]?.length}\r\n${chunks[0]}BDAT ${chunks[1]?.length} LAST\r\n${chunks[1]}`)
    for (let reply = 0; reply < 4; reply++) assert.match(await wire.reply(), /^250[ -]/)
    wire.destroy()
    const received = await exim.logged(/<= a@elsewhere\.example .* K /)
    const [, id] = / (\S+) <= /.exec(received) ?? []
    await exim.logged(new RegExp(`${id} => b <b@partner\\.example>`))
    assert.ok(exim.mailbox().some((message) => message.endsWith('Subject: by chunks\n\n.\n..two dots\n')))
  })
})
