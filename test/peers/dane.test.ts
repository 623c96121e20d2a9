/**
 * DANE with a zone that Knot DNS signs and serves and that Unbound validates. The delivery resolves names through
 * Unbound and sends to a partner whose certificate the zone names or does not name.
 */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { lookUpTlsa } from '../../functions/rotate-certificate/look-up-tlsa.ts'
import type { TlsRequirement } from '../../shared/contract/jobs.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { findNextHops } from '../../shared/net/next-hops.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { defaultTimeouts } from '../../shared/net/smtp/connection.ts'
import { deliverOverSmtp, type Outcome } from '../../shared/net/smtp-delivery.ts'
import { noMtaSts } from '../../shared/policy/hop-facts.ts'
import { message, recipient } from '../support/fixtures.ts'
import { missing } from '../support/peers/peers.ts'
import {
  brokenZone,
  type NameServers,
  signedZone,
  startNameServers,
  unsignedZone,
} from '../support/peers/signed-zone.ts'
import { createPki, daysFromNow, type Identity } from '../support/pki.ts'
import { trust } from '../support/policy-host.ts'
import { type Partner, type PartnerOptions, startPartner } from '../support/smtp-partner.ts'

const skip =
  missing('knotd', 'apt-get install knot') ||
  missing('kzonesign', 'apt-get install knot-dnssecutils') ||
  missing('unbound', 'apt-get install unbound')

/** The certificate of every partner that has TLS and no certificate of its own. */
let good: Identity
let otherCertificates: Record<'rootless' | 'expired' | 'misnamed', Identity>
let nameServers: NameServers
let ca: string

before(
  async () => {
    if (skip) return
    const pki = await createPki()
    ca = pki.ca
    const issue = async (options: Parameters<typeof pki.issue>[0]): Promise<Identity> => {
      const { cert, key } = await pki.issue(options)
      // With TLSA records of usage 2, the server must also send its authority's certificate (RFC 7671 §5.2.2).
      return { cert: `${cert}\n${ca}`, key }
    }
    good = await issue({ names: [`mx.issuer.${signedZone}`] })
    otherCertificates = {
      rootless: await pki.issue({ names: [`whole.${signedZone}`] }),
      expired: await issue({ names: [], notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
      misnamed: await issue({ names: ['mx.elsewhere.example'] }),
    }
    const resolver = 'dns.resolver.example'
    // This process trusts the resolvers' authority. The partners' certificates are from another authority, so only the
    // zone makes them trusted.
    const resolvers = await createPki('CA of resolvers')
    trust(resolvers.ca)
    nameServers = await startNameServers(
      { signed: signed(), unsigned: hosts(['plain']), forge },
      { ...(await resolvers.issue({ names: [resolver] })), name: resolver },
    )
  },
  { timeout: 120_000 },
)

after(() => nameServers?.stop())

const keyDigest = ({ cert }: Identity) =>
  createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')

const leafOf = ({ cert }: Identity) => new X509Certificate(cert).toString()

const unknownDigest = '0'.repeat(64)

/** Returns the records of domains with one MX host each. */
function hosts(domains: readonly string[], records: Record<string, string[]> = {}): string[] {
  return domains.flatMap((domain) => [
    `${domain} MX 10 mx.${domain}`,
    `mx.${domain} A 127.0.0.1`,
    ...(records[domain] ?? [`TLSA 3 1 1 ${unknownDigest}`]).map(
      (record) => `_25._tcp.mx.${domain} ${record}`,
    ),
  ])
}

function signed(): string[] {
  const pin = `TLSA 3 1 1 ${keyDigest(good)}`
  const records = {
    pinned: [pin],
    issuer: [`TLSA 2 0 1 ${createHash('sha256').update(new X509Certificate(ca).raw).digest('hex')}`],
    whole: [`TLSA 2 0 0 ${new X509Certificate(ca).raw.toString('hex')}`],
    changing: [`TLSA 3 1 1 ${unknownDigest}`, pin],
    unusable: [`TLSA 1 1 1 ${keyDigest(good)}`, `TLSA 3 1 9 ${keyDigest(good)}`],
    expired: [`TLSA 3 1 1 ${keyDigest(otherCertificates.expired)}`],
    elsewhere: ['CNAME tlsa.elsewhere'],
    broken: [],
    nothing: [],
    // More records than fit in a datagram.
    many: [...Array.from({ length: 60 }, (_, n) => `TLSA 3 1 1 ${n.toString(16).padStart(64, '0')}`), pin],
    forged: [pin],
    exchanged: [pin],
  }
  return [
    ...hosts([...Object.keys(records), 'mismatch'], records),
    `tlsa.elsewhere ${pin}`,
    `${brokenZone.slice(0, -signedZone.length - 1)} NS ns`,
    'two MX 10 mx.mismatch',
    'two MX 20 mx.pinned',
    'alias MX 10 mx.alias',
    'mx.alias CNAME mx.pinned',
    'outside MX 10 mx.outside',
    `mx.outside CNAME mx.plain.${unsignedZone}.`,
    `_25._tcp.mx.outside ${pin}`,
  ]
}

/** Changes a record as an attacker on the path would: the certificate in the record, or the host. */
function forge(line: string): string {
  if (/\s(RRSIG|NSEC)\s/.test(line)) return line
  if (line.startsWith('_25._tcp.mx.forged.')) return line.replace(/[0-9A-F]{64}/i, unknownDigest)
  if (line.startsWith('exchanged.')) return line.replace('mx.exchanged', 'mx.pinned')
  return line
}

interface Delivery {
  outcome: Outcome
  /** The partner of the last attempt. */
  partner: Partner
}

/** Sends a message to the domain. The same partner answers at port 25 of every host. */
async function send(
  domain: string,
  behaviour: PartnerOptions = { tls: good },
  server = nameServers.explaining,
  smtpDaneMode: TlsRequirement['smtpDaneMode'] = 'Opportunistic',
): Promise<Delivery> {
  const partner = await startPartner(behaviour)
  try {
    const address = `bob@${domain}`
    const outcomes = await deliverOverSmtp(
      { kind: 'Mx', domain },
      {
        message: message(),
        recipients: [recipient({ address })],
        content: Buffer.from('Subject: hello\r\n\r\nsecret\r\n'),
        tls: { ...requirement, smtpDaneMode },
      },
      {
        ehloName: 'mail.ours.example',
        resolver: createResolver([server]),
        privateNetworks: ['127.0.0.0/8'],
        random: Math.random,
        timeouts: defaultTimeouts,
        mtaSts: async () => noMtaSts,
        readCredentials: async () => assert.fail('no client certificate is requested'),
        find: async (...query) => {
          const result = await findNextHops(...query)
          return result.kind === 'NotFound'
            ? result
            : { ...result, hops: result.hops.map((hop) => ({ ...hop, port: partner.port })) }
        },
        signal: AbortSignal.timeout(30_000),
      },
    )
    const outcome = outcomes.get(address)
    assert.ok(outcome)
    return { outcome, partner }
  } finally {
    await partner.stop()
  }
}

const requirement: TlsRequirement = {
  level: 'Opportunistic',
  mode: 'Enforce',
  tlsDomain: null,
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
  revocationCheck: 'SoftFail',
  smtpDaneMode: 'Opportunistic',
  mtaStsMode: 'None',
  clientCertificate: null,
}

const summarise = ({ outcome: { outcome, policy, policySource, reply, tls } }: Delivery): string =>
  [
    outcome,
    policy,
    policySource,
    tls === null ? 'clear' : tls.verified ? 'verified' : 'encrypted',
    reply.enhanced,
  ].join(' ')

describe('a delivery under DANE, with a zone that Knot signed and Unbound validates,', {
  skip,
  timeout: 120_000,
}, () => {
  const deliveredRows: [string, string, () => Identity][] = [
    ['pinned', 'a key that the zone names', () => good],
    ['pinned', 'a key that the zone names, without its issuer', () => ({ ...good, cert: leafOf(good) })],
    ['changing', 'one of two keys that the zone names, while keys change', () => good],
    ['issuer', 'an issuer that the zone names', () => good],
    [
      'whole',
      'an issuer that it does not send, whose certificate is in the TLSA record',
      () => otherCertificates.rootless,
    ],
    ['elsewhere', 'a key whose TLSA record is behind an alias', () => good],
    ['many', 'one of so many keys that the TLSA records exceed a datagram', () => good],
    ['alias', 'a key named for the host of which the MX host is an alias', () => good],
    ['outside', 'a key named for an alias that leads out of the signed zone', () => good],
    [
      'expired',
      'a key that the zone names, of an expired certificate without a name',
      () => otherCertificates.expired,
    ],
  ]
  for (const [domain, description, tls] of deliveredRows) {
    it(`sends the message to a server with ${description}`, async () => {
      const delivery = await send(`${domain}.${signedZone}`, { tls: tls() })
      assert.equal(
        summarise(delivery),
        'Delivered Dane Dane verified 2.0.0',
        formatReply(delivery.outcome.reply),
      )
      assert.equal(delivery.partner.received[0]?.tls?.protocol, 'TLSv1.3')
    })
  }

  it('sends the message to the second MX host when the zone does not name the key of the first', async () => {
    const { outcome, partner } = await send(`two.${signedZone}`)
    assert.deepEqual([outcome.outcome, outcome.host], ['Delivered', `mx.pinned.${signedZone}`])
    assert.equal(partner.connections(), 2)
    assert.equal(partner.received.length, 1)
  })

  const refusedRows: [string, string, () => PartnerOptions, string][] = [
    [
      'mismatch',
      'a server with a key that the zone does not name',
      () => ({ tls: good }),
      'TlsNotMet Dane Dane encrypted 4.7.323',
    ],
    [
      'pinned',
      'a server with another key than the zone names',
      () => ({ tls: otherCertificates.misnamed }),
      'TlsNotMet Dane Dane encrypted 4.7.323',
    ],
    [
      'issuer',
      'a server with another name, from the issuer that the zone names',
      () => ({ tls: otherCertificates.misnamed }),
      'TlsNotMet Dane Dane encrypted 4.7.323',
    ],
    ['pinned', 'a server without STARTTLS', () => ({}), 'TlsNotMet Dane Dane clear 4.7.321'],
    [
      'unusable',
      'a server without STARTTLS, though no record is usable',
      () => ({}),
      'TlsNotMet EncryptionOnly Dane clear 4.7.321',
    ],
  ]
  for (const [domain, description, behaviour, expected] of refusedRows) {
    it(`sends no MAIL FROM to ${description}`, async () => {
      const delivery = await send(`${domain}.${signedZone}`, behaviour())
      assert.equal(summarise(delivery), expected, formatReply(delivery.outcome.reply))
      assert.deepEqual(
        delivery.partner.commands.filter((command) => /^(MAIL|RCPT|DATA)/.test(command)),
        [],
      )
    })
  }

  it('requires only encryption when the zone has TLSA records, but none that is usable', async () => {
    const delivery = await send(`unusable.${signedZone}`, { tls: otherCertificates.misnamed })
    assert.equal(summarise(delivery), 'Delivered EncryptionOnly Dane encrypted 2.0.0')
  })

  it('requires no TLS when the zone proves that there are no TLSA records', async () => {
    assert.equal(
      summarise(await send(`nothing.${signedZone}`, {})),
      'Delivered Opportunistic Opportunistic clear 2.0.0',
    )
  })

  it('requires no TLS for TLSA records in an unsigned zone', async () => {
    assert.equal(
      summarise(await send(`plain.${unsignedZone}`, {})),
      'Delivered Opportunistic Opportunistic clear 2.0.0',
    )
  })

  const unconnectedRows: [string, string, string][] = [
    ['forged', 'a TLSA record that was changed after it was signed', 'TlsNotMet Dane Dane clear 4.7.324'],
    [
      'exchanged',
      'an MX record that was changed after it was signed',
      'TemporaryFailure Opportunistic Opportunistic clear 4.7.324',
    ],
    [
      'broken',
      'a host whose TLSA records no name server provides',
      'TemporaryFailure Dane Dane clear 4.4.312',
    ],
  ]
  for (const [domain, description, expected] of unconnectedRows) {
    for (const kind of ['explaining', 'terse'] as const) {
      it(`opens no connection for ${description}, through a resolver that is ${kind}`, async () => {
        const delivery = await send(`${domain}.${signedZone}`, { tls: good }, nameServers[kind])
        assert.equal(summarise(delivery), expected, formatReply(delivery.outcome.reply))
        assert.equal(delivery.partner.connections(), 0)
      })
    }
  }

  describe('and with smtpDaneMode Mandatory,', () => {
    const rows: [domain: string, tls: () => Identity, expected: string, connections: number][] = [
      [`pinned.${signedZone}`, () => good, 'Delivered Dane Dane verified 2.0.0', 1],
      [`nothing.${signedZone}`, () => good, 'TlsNotMet Dane Connector clear 4.7.323', 0],
      [`unusable.${signedZone}`, () => good, 'TlsNotMet Dane Connector clear 4.7.323', 0],
      [`plain.${unsignedZone}`, () => good, 'TlsNotMet Dane Connector clear 4.7.324', 0],
      [`forged.${signedZone}`, () => good, 'TlsNotMet Dane Dane clear 4.7.324', 0],
      [`exchanged.${signedZone}`, () => good, 'TemporaryFailure Dane Connector clear 4.7.324', 0],
      [`broken.${signedZone}`, () => good, 'TemporaryFailure Dane Dane clear 4.4.312', 0],
      [`pinned.${signedZone}`, () => otherCertificates.misnamed, 'TlsNotMet Dane Dane encrypted 4.7.323', 1],
    ]
    for (const [domain, tls, expected, connections] of rows)
      it(`has for ${domain} the result ${expected}, with ${connections} connections`, async () => {
        const delivery = await send(domain, { tls: tls() }, nameServers.explaining, 'Mandatory')
        assert.equal(summarise(delivery), expected, formatReply(delivery.outcome.reply))
        assert.equal(delivery.partner.connections(), connections)
        assert.equal(delivery.partner.received.length, expected.startsWith('Delivered') ? 1 : 0)
      })
  })

  describe('and with a resolver over TLS,', () => {
    const rows: [string, string][] = [
      [`pinned.${signedZone}`, 'Delivered Dane Dane verified 2.0.0'],
      [`many.${signedZone}`, 'Delivered Dane Dane verified 2.0.0'],
      [`mismatch.${signedZone}`, 'TlsNotMet Dane Dane encrypted 4.7.323'],
      [`forged.${signedZone}`, 'TlsNotMet Dane Dane clear 4.7.324'],
      [`broken.${signedZone}`, 'TemporaryFailure Dane Dane clear 4.4.312'],
      [`plain.${unsignedZone}`, 'Delivered Opportunistic Opportunistic encrypted 2.0.0'],
    ]
    for (const [domain, expected] of rows) {
      it(`has the same result for ${domain} as without TLS to the resolver: ${expected}`, async () => {
        const delivery = await send(domain, { tls: good }, nameServers.overTls)
        assert.equal(summarise(delivery), expected, formatReply(delivery.outcome.reply))
      })
    }

    it('fails temporarily when the certificate of the resolver is for another name', async () => {
      const delivery = await send(
        `pinned.${signedZone}`,
        { tls: good },
        nameServers.overTls.replace('#dns', '#other'),
      )
      assert.equal(summarise(delivery), 'TemporaryFailure Opportunistic Opportunistic clear 4.4.312')
      assert.match(formatReply(delivery.outcome.reply), /ERR_TLS_CERT_ALTNAME_INVALID/)
      assert.equal(delivery.partner.connections(), 0)
    })

    it('sends concurrent queries over one connection', async () => {
      const { query } = createResolver([nameServers.overTls], [{ transport: 'Stream', timeoutMs: 20_000 }])
      const domains = ['pinned', 'issuer', 'whole', 'changing', 'many', 'nothing']
      const responses = await Promise.all(domains.map((domain) => query(`${domain}.${signedZone}`, 'MX')))
      assert.deepEqual(
        responses,
        domains.map((domain) => ({
          kind: 'Found',
          records: [{ preference: 10, exchange: `mx.${domain}.${signedZone}` }],
          secure: true,
          name: `${domain}.${signedZone}`,
          ttlSeconds: 60,
        })),
      )
    })
  })

  /** What a rotation finds for the ingress's own host. */
  const lookups: [host: string, zone: string, expected: string][] = [
    ['mx.pinned', signedZone, 'Records 60'],
    ['mx.nothing', signedZone, 'None'],
    ['mx.plain', unsignedZone, 'None'],
    ['mx.forged', signedZone, 'Failed'],
    // Signed alias to an unsigned host: senders use the records of the alias (RFC 7672 §2.2.2).
    ['mx.outside', signedZone, 'Records 60'],
  ]
  for (const [host, zone, expected] of lookups)
    it(`finds for a rotation at ${host}.${zone}: ${expected}`, async () => {
      const resolver = createResolver([nameServers.explaining])
      const lookup = await lookUpTlsa(`${host}.${zone}`, resolver, true)
      assert.equal(lookup.kind === 'Records' ? `${lookup.kind} ${lookup.ttlSeconds}` : lookup.kind, expected)
    })

  it('has the reply 5.1.2 for a domain that does not exist', async () => {
    const { outcome } = await send(`gone.${signedZone}`)
    assert.equal(outcome.reply.enhanced, '5.1.2')
  })
})
