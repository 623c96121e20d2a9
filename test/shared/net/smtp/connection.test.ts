/** Connections of the SMTP client whose TLS cannot begin, or that end while their TLS is assessed. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import { defaultTimeouts, type SessionOptions } from '../../../../shared/net/smtp/connection.ts'
import { openSession, type SessionOpening } from '../../../../shared/net/smtp-session.ts'
import { type HopRequirement, opportunistic } from '../../../../shared/tls/requirement.ts'
import { createPki, type Pki } from '../../../support/pki.ts'
import { startPartner } from '../../../support/smtp-partner.ts'

const host = 'mx.partner.example'

let pki: Pki
let good: SecureContextOptions
before(async () => {
  pki = await createPki()
  good = await pki.issue({ names: [host] })
})

async function open(options: Partial<SessionOptions>): Promise<SessionOpening> {
  const partner = await startPartner({ tls: good })
  try {
    const opening = await openSession(
      { host, ip: '127.0.0.1', port: partner.port },
      {
        ehloName: 'mail.ours.example',
        serverName: host,
        enforced: opportunistic,
        timeouts: defaultTimeouts,
        signal: AbortSignal.timeout(10_000),
        ...options,
      },
    )
    if (opening.kind === 'Admitted') opening.session.close()
    return opening
  } finally {
    await partner.stop()
  }
}

describe('a connection of the SMTP client', () => {
  const credentials = { certificate: 'no certificate', privateKey: 'no key' }

  it('has failed in the handshake when OpenSSL refuses its client certificate', async () => {
    const opening = await open({ credentials })
    assert.deepEqual(
      [opening.kind, opening.kind === 'Admitted' && opening.tls.kind],
      ['Admitted', 'HandshakeFailed'],
    )
  })

  it('is not continued in the clear when OpenSSL refuses its client certificate and TLS is forced', async () => {
    const opening = await open({ credentials, enforced: { ...opportunistic, level: 'EncryptionOnly' } })
    assert.deepEqual(
      [opening.kind, opening.kind === 'TlsNotMet' && opening.fault.reply.enhanced],
      ['TlsNotMet', '4.7.5'],
    )
  })

  it('has timed out when the time of the batch ends during the revocation check', async () => {
    const batch = new AbortController()
    const enforced: HopRequirement = {
      ...opportunistic,
      level: 'CertificateValidation',
      certificateAuthorities: [pki.ca],
      revocationCheck: 'SoftFail',
    }
    const opening = await open({
      enforced,
      signal: batch.signal,
      checkRevocation: async () => {
        batch.abort()
        return { status: 'Unknown', detail: 'no answer' }
      },
    })
    assert.deepEqual(opening, {
      kind: 'Failed',
      reply: { code: 451, enhanced: '4.4.315', text: 'Connection timed out' },
    })
  })
})
