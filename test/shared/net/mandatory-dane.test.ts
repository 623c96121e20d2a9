/** Whole attempts under smtpDaneMode Mandatory: the mail servers are real; the test provides DNS. */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { before, describe, it } from 'node:test'
import type { TlsRequirement } from '../../../shared/contract/jobs.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { findNextHops, type SmtpRoute } from '../../../shared/net/next-hops.ts'
import { deliverOverSmtp, type Outcome, type SessionRecord } from '../../../shared/net/smtp-delivery.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { type Identity, selfSigned } from '../../support/pki.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { type Partner, type PartnerOptions, startPartner } from '../../support/smtp-partner.ts'

const domain = 'partner.example'
const host = 'mx.partner.example'
const mailbox = `b@${domain}`
const mandatory: TlsRequirement = { ...opportunistic, smtpDaneMode: 'Mandatory' }
const body = 'The secret is 4711.\r\n'

let identity: Identity
before(async () => {
  identity = await selfSigned({ names: [host] })
})

const keyDigest = () =>
  createHash('sha256')
    .update(new X509Certificate(identity.cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')

type TlsaRecords = NonNullable<Zone['tlsa']>[string]

/** The domain with one MX host. All records are signed, except those of the unsigned names. */
function zone(tlsa: TlsaRecords | null, unsigned: readonly string[] = [], port = 25): Zone {
  const tlsaName = `_${port}._tcp.${host}`
  return {
    mx: { [domain]: [[10, host]] },
    a: { [host]: ['127.0.0.1'] },
    tlsa: tlsa === null ? {} : { [tlsaName]: tlsa },
    secure: [domain, host, tlsaName].filter((name) => !unsigned.includes(name)),
  }
}

interface Attempt {
  outcome: Outcome
  sessions: SessionRecord[]
}

/** @param port of the partner, which answers instead of port 25 of the MX host */
async function send(
  port: number,
  records: Zone,
  { tls = mandatory, header = '', route = { kind: 'Mx', domain } as SmtpRoute } = {},
): Promise<Attempt> {
  const sessions: SessionRecord[] = []
  const outcomes = await deliverOverSmtp(
    route,
    {
      message: message(),
      recipients: [recipient({ address: mailbox })],
      content: Buffer.from(`${header}Subject: hello\r\n\r\n${body}`),
      tls,
    },
    smtpOptions({
      resolver: fakeResolver(records),
      privateNetworks: ['127.0.0.0/8'],
      recordSession: (session) => sessions.push(session),
      find: async (...query) => {
        const result = await findNextHops(...query)
        return result.kind === 'NotFound'
          ? result
          : { ...result, hops: result.hops.map((hop) => ({ ...hop, port })) }
      },
    }),
  )
  return { outcome: outcomes.get(mailbox) ?? assert.fail('no outcome'), sessions }
}

async function withPartner(
  behaviour: PartnerOptions,
  use: (partner: Partner) => Promise<void>,
): Promise<void> {
  const partner = await startPartner(behaviour)
  try {
    await use(partner)
  } finally {
    await partner.stop()
  }
}

const summarise = ({ outcome: { outcome, policy, policySource, reply, tlsResult } }: Attempt): string =>
  [outcome, policy, policySource, reply.enhanced, tlsResult].join(' ')

const pin = (): TlsaRecords => [[3, 1, 1, keyDigest()]]
const otherPin = (): TlsaRecords => [[3, 1, 1, '0'.repeat(64)]]

describe('an attempt under smtpDaneMode Mandatory', () => {
  const refused: [title: string, records: () => Zone, expected: string, text: RegExp][] = [
    [
      'a host without TLSA records in a signed zone',
      () => zone(null),
      'TlsNotMet Dane Connector 4.7.323 dane-required',
      /smtpDaneMode is Mandatory, but mx\.partner\.example has no TLSA records that DNSSEC proves/,
    ],
    [
      'a host with TLSA records whose address is unsigned',
      () => zone(pin(), [host]),
      'TlsNotMet Dane Connector 4.7.323 dane-required',
      /has no TLSA records that DNSSEC proves/,
    ],
    [
      'a host with unsigned TLSA records',
      () => zone(pin(), [`_25._tcp.${host}`]),
      'TlsNotMet Dane Connector 4.7.323 dane-required',
      /has no TLSA records that DNSSEC proves/,
    ],
    [
      'a host with signed TLSA records that unsigned MX records name',
      () => zone(pin(), [domain]),
      'TlsNotMet Dane Connector 4.7.324 dane-required',
      /DNSSEC does not prove that mx\.partner\.example is a mail server of partner\.example/,
    ],
    [
      'a host whose TLSA records are for public authorities',
      () => zone([[1, 1, 1, keyDigest()]]),
      'TlsNotMet Dane Connector 4.7.323 tlsa-invalid',
      /none of the TLSA records of mx\.partner\.example is usable/,
    ],
  ]
  for (const [title, records, expected, text] of refused)
    for (const header of ['', 'TLS-Required: No\r\n'])
      it(`opens no connection to ${title}${header && ', also with TLS-Required: No'}`, async () => {
        await withPartner({ tls: identity }, async (partner) => {
          const attempt = await send(partner.port, records(), { header })
          assert.equal(summarise(attempt), expected)
          assert.match(formatReply(attempt.outcome.reply), text)
          assert.equal(partner.connections(), 0)
          assert.equal(attempt.sessions.length, 1)
        })
      })

  const stopped: [
    title: string,
    behaviour: () => PartnerOptions,
    tlsa: () => TlsaRecords,
    expected: string,
  ][] = [
    [
      'another key than the zone names',
      () => ({ tls: identity }),
      otherPin,
      'TlsNotMet Dane Dane 4.7.323 tlsa-invalid',
    ],
    ['no STARTTLS', () => ({}), pin, 'TlsNotMet Dane Dane 4.7.321 starttls-not-supported'],
  ]
  for (const [title, behaviour, tlsa, expected] of stopped)
    it(`sends no octet of mail to a server with ${title}`, async () => {
      await withPartner(behaviour(), async (partner) => {
        const attempt = await send(partner.port, zone(tlsa()))
        assert.equal(summarise(attempt), expected)
        assert.doesNotMatch(partner.wire().toString(), /MAIL FROM|4711/)
      })
    })

  it('sends the message over TLS once the zone has TLSA records', async () => {
    await withPartner({ tls: identity }, async (partner) => {
      assert.equal((await send(partner.port, zone(null))).outcome.outcome, 'TlsNotMet')
      assert.equal(partner.connections(), 0)
      const later = await send(partner.port, zone(pin()))
      assert.equal(summarise(later), 'Delivered Dane Dane 2.0.0 success')
      assert.equal(later.outcome.tls?.verified, true)
      assert.doesNotMatch(partner.wire().toString(), /MAIL FROM|4711/)
      assert.equal(partner.received.length, 1)
    })
  })

  it('uses the TLSA records of a smart host, at its port', async () => {
    await withPartner({ tls: identity }, async ({ port, received }) => {
      const route: SmtpRoute = { kind: 'SmartHosts', hosts: [{ host, port }] }
      const without = await send(port, zone(pin()), { route })
      assert.equal(summarise(without), 'TlsNotMet Dane Connector 4.7.323 dane-required')
      const attempt = await send(port, zone(pin(), [], port), { route })
      assert.equal(summarise(attempt), 'Delivered Dane Dane 2.0.0 success')
      assert.equal(received.length, 1)
    })
  })

  it('also requires the certificate of tlsSettings', async () => {
    const tls: TlsRequirement = { ...mandatory, level: 'CertificateValidation' }
    await withPartner({ tls: identity }, async (partner) => {
      const untrusted = await send(partner.port, zone(pin()), { tls })
      assert.equal(
        summarise(untrusted),
        'TlsNotMet CertificateValidation Connector 4.7.320 certificate-not-trusted',
      )
      const trusting = { ...tls, certificateAuthorities: [identity.cert] }
      const mismatch = await send(partner.port, zone(otherPin()), { tls: trusting })
      assert.equal(summarise(mismatch), 'TlsNotMet CertificateValidation Connector 4.7.323 tlsa-invalid')
      assert.equal(partner.received.length, 0)
      assert.equal((await send(partner.port, zone(pin()), { tls: trusting })).outcome.outcome, 'Delivered')
    })
  })

  it('only records missing TLSA records under a connector that only reports', async () => {
    await withPartner({ tls: identity }, async (partner) => {
      const { outcome } = await send(partner.port, zone(null), { tls: { ...mandatory, mode: 'ReportOnly' } })
      assert.deepEqual(
        [outcome.outcome, outcome.policy, outcome.reportOnlyLevel, outcome.reportOnly?.enhanced],
        ['Delivered', 'Opportunistic', 'Dane', '4.7.323'],
      )
    })
  })
})
