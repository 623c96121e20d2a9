/** Clients whose TLS handshakes are expensive, on the wire. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { inbound } from '../../support/fixtures.ts'
import { startTestIngress, type TestIngress, Wire } from '../../support/ingress/ingress.ts'
import { createPki } from '../../support/pki.ts'

const pki = await createPki()
const names = (count: number) =>
  Array.from({ length: count }, (_, number) => `host-${number}.partner.example`)
const small = await pki.issue({ names: names(1), purposes: ['clientAuth'] })
/** About 30,000 octets. */
const large = await pki.issue({ names: names(1_000), purposes: ['clientAuth'] })

let ingress: TestIngress
afterEach(() => ingress.drain())

const start = async () => {
  ingress = await startTestIngress({
    inbound: [
      inbound({
        name: 'Partner',
        senderDomains: ['partner.example'],
        restrictDomainsToCertificate: true,
        tlsSenderCertificateNames: ['host-0.partner.example'],
        certificateAuthorities: [pki.ca],
      }),
    ],
  })
}

async function rcpt(identity: { cert: string; key: string }, from: string): Promise<string> {
  const wire = await Wire.greet(ingress.smtpPort, from)
  try {
    const socket = await wire.startTls(identity)
    assert.ok(socket instanceof TLSSocket)
    await wire.command('MAIL FROM:<a@partner.example>')
    return await wire.command('RCPT TO:<b@ours.example>')
  } finally {
    wire.destroy()
  }
}

test('the ingress closes the connection of a client whose chain is too large, and then does not ask it for a certificate', async () => {
  await start()
  await rcpt(large, '127.0.0.2').catch(() => null)
  const line = await ingress.logged('TLS handshake failed')
  assert.deepEqual([line.reason, line.ip], ['TooLarge', '127.0.0.2'])
  assert.match(
    await rcpt(small, '127.0.0.2'),
    /^421 4\.7\.0 /,
    'temporary, because the certificate is not known',
  )
  assert.match(await rcpt(small, '127.0.0.3'), /^250 /, 'other addresses are asked')
})
