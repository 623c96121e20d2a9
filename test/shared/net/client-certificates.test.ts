import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { SecureContextOptions } from 'node:tls'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { ClientCertificates } from '../../../shared/net/client-certificates.ts'
import { deliverOverSmtp, type Outcome } from '../../../shared/net/smtp-delivery.ts'
import type { ClientCredentials } from '../../../shared/net/tls-client.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { type FakeSecrets, secretOf, startSecrets } from '../../support/fake-secrets.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { testAccount } from '../../support/lambda.ts'
import { createPki, daysFromNow, type Identity, type Pki } from '../../support/pki.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'

let pki: Pki
let unrelated: Pki
let own: Identity
let secrets: FakeSecrets

before(async () => {
  pki = await createPki()
  unrelated = await createPki('Other CA')
  own = await pki.issue({ names: ['mail.ours.example'] })
  secrets = await startSecrets()
})
after(() => secrets.stop())

function reader(now: () => Date = () => new Date()) {
  const client = new SecretsManagerClient({ endpoint: secrets.url, ...testAccount, maxAttempts: 1 })
  return new ClientCertificates(client, now)
}

describe('a client certificate', () => {
  it('is read again after some minutes, so that a new certificate in its secret replaces it', async () => {
    let at = Date.now()
    const certificates = reader(() => new Date(at))
    secrets.keepIdentity('rotated', own)
    const first = await certificates.read('rotated')
    assert.equal(first.certificate, own.cert)
    const renewed = await pki.issue({ names: ['mail.ours.example'] })
    secrets.keepIdentity('rotated', renewed)
    assert.deepEqual(await certificates.read('rotated'), first)
    at += 6 * 60_000
    assert.equal((await certificates.read('rotated')).certificate, renewed.cert)
  })

  it('is read once from its secret for concurrent requests', async () => {
    secrets.keepIdentity('shared', own)
    secrets.requests = 0
    const certificates = reader()
    await Promise.all([1, 2, 3].map(() => certificates.read('shared')))
    assert.equal(secrets.requests, 1)
  })

  const useless: [string, () => string | Promise<string> | null, RegExp][] = [
    ['does not exist', () => null, /^does not exist$/],
    ['is not JSON', () => '-----BEGIN CERTIFICATE-----', /^is not JSON$/],
    ['is JSON null', () => 'null', /^lacks one of the JSON fields certificate and privateKey$/],
    ['has no private key', () => JSON.stringify({ certificate: own.cert }), /^lacks one of/],
    [
      'has no PEM certificate',
      () => JSON.stringify({ certificate: 'x', privateKey: own.key }),
      /^has no PEM certificate/,
    ],
    [
      'has an unreadable certificate',
      () =>
        JSON.stringify({
          certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
          privateKey: own.key,
        }),
      /^holds a first certificate that cannot be read$/,
    ],
    [
      'has an unreadable private key',
      () => JSON.stringify({ certificate: own.cert, privateKey: 'x' }),
      /^holds a private key that cannot be read/,
    ],
    [
      'has an encrypted private key',
      () => {
        const privateKey = createPrivateKey(own.key).export({
          type: 'pkcs8',
          format: 'pem',
          cipher: 'aes-256-cbc',
          passphrase: 'secret',
        })
        return JSON.stringify({ certificate: own.cert, privateKey })
      },
      /^holds a private key that cannot be read, or is encrypted$/,
    ],
    [
      'has the private key of another certificate',
      async () =>
        JSON.stringify({
          certificate: own.cert,
          privateKey: (await pki.issue({ names: ['x.example'] })).key,
        }),
      /^has a private key that is not that of its first certificate$/,
    ],
    [
      'has an expired certificate',
      async () => {
        const expired = await pki.issue({
          names: ['x.example'],
          notBefore: daysFromNow(-9),
          notAfter: daysFromNow(-2),
        })
        return secretOf(expired)
      },
      /^holds a certificate that expired at 2\d{3}-/,
    ],
    [
      'has a certificate that is not yet valid',
      async () => {
        const future = await pki.issue({
          names: ['x.example'],
          notBefore: daysFromNow(2),
          notAfter: daysFromNow(9),
        })
        return secretOf(future)
      },
      /^holds a certificate that is valid from 2\d{3}-/,
    ],
    [
      'has a private key that is too small for TLS',
      async () => {
        const small = await pki.issue({ names: ['x.example'], rsa: 1024 })
        return secretOf(small)
      },
      /^holds a certificate or key that TLS cannot use: ERR_SSL_EE_KEY_TOO_SMALL$/,
    ],
  ]
  for (const [title, text, why] of useless)
    it(`whose secret ${title} is rejected, with an error that shows no content of the secret`, async () => {
      const content = await text()
      if (content !== null) secrets.keep('useless', content)
      await assert.rejects(reader().read(content === null ? 'missing' : 'useless'), (error: Error) => {
        assert.match(error.message, why)
        assert.ok(!error.message.includes('BEGIN'))
        return true
      })
    })

  it('whose secret was unusable is read again after 31 seconds', async () => {
    let at = Date.now()
    const certificates = reader(() => new Date(at))
    await assert.rejects(certificates.read('late'), /does not exist/)
    secrets.keepIdentity('late', own)
    await assert.rejects(certificates.read('late'), /does not exist/)
    at += 31_000
    assert.equal((await certificates.read('late')).certificate, own.cert)
  })

  it('stays in use until it expires while Secrets Manager does not respond', async (t) => {
    let at = Date.now()
    secrets.keepIdentity('flaky', own)
    const certificates = reader(() => new Date(at))
    await certificates.read('flaky')
    secrets.isAway = true
    t.after(() => {
      secrets.isAway = false
    })
    await assert.rejects(
      certificates.read('never read'),
      /^Error: cannot be read now: Secrets Manager does not answer$/,
    )
    at += 6 * 60_000
    assert.equal((await certificates.read('flaky')).certificate, own.cert)
    at += 400 * 86_400_000
    await assert.rejects(certificates.read('flaky'), /expired at/)
  })
})

describe('the local stand-in for Secrets Manager', () => {
  for (const name of ['../secrets', '..', 'a/../../b', '/etc/passwd', ''])
    it(`reports that the secret "${name}" does not exist`, async () => {
      await assert.rejects(reader().read(name), /does not exist/)
    })
})

describe('a next hop that requires a client certificate', () => {
  const smartHost = 'mx.partner.example'
  let partnersOwn: SecureContextOptions
  before(async () => {
    partnersOwn = { ...(await pki.issue({ names: [smartHost] })), ca: pki.ca }
    secrets.keepIdentity('ours', own)
    secrets.keepIdentity('unrelated', await unrelated.issue({ names: ['mail.ours.example'] }))
  })

  const requirement = (clientCertificate: string | null): TlsRequirement => ({
    ...opportunistic,
    level: 'DomainValidation',
    tlsDomain: smartHost,
    certificateAuthorities: [pki.ca],
    clientCertificate,
  })

  async function send(partner: Partner, tls: TlsRequirement): Promise<Outcome> {
    const certificates = reader()
    const [outcome] = (
      await deliverOverSmtp(
        { kind: 'SmartHosts', hosts: [{ host: smartHost, port: partner.port }] },
        { message: message(), recipients: [recipient()], content: Buffer.from('A: b\r\n\r\nc\r\n'), tls },
        smtpOptions({
          readCredentials: (name): Promise<ClientCredentials> => certificates.read(name),
          signal: AbortSignal.timeout(10_000),
        }),
      )
    ).values()
    assert.ok(outcome)
    return outcome
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const rows: [string, string | null, string, number][] = [
      ["accepts mail when it trusts the connector's client certificate", 'ours', '250 2.0.0 taken', 1],
      ["gets no mail when it does not trust the connector's client certificate", 'unrelated', '451 4.', 0],
      ['gets no mail when the connector has no client certificate', null, '451 4.7.5', 0],
    ]
    for (const [title, name, answer, received] of rows)
      it(`${title}, over ${version}`, async () => {
        const tls = { ...partnersOwn, minVersion: version, maxVersion: version }
        const partner = await startPartner({ tls, requiresClientCertificate: true })
        try {
          const outcome = await send(partner, requirement(name))
          assert.ok(formatReply(outcome.reply).startsWith(answer), formatReply(outcome.reply))
          assert.equal(partner.received.length, received)
          assert.equal(outcome.tls?.protocol ?? version, version)
        } finally {
          await partner.stop()
        }
      })
  }

  it("gets no connection while the connector's secret is missing, and the attempt's reply names the secret", async () => {
    const partner = await startPartner({ tls: partnersOwn })
    try {
      const outcome = await send(partner, requirement('not-made-yet'))
      assert.equal(
        formatReply(outcome.reply),
        "451 4.3.5 The secret mailflow/client-certificates/not-made-yet with the connector's client certificate does not exist",
      )
      assert.equal(outcome.outcome, 'TemporaryFailure')
      assert.equal(partner.connections(), 0)
    } finally {
      await partner.stop()
    }
  })
})
