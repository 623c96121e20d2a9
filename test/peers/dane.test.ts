/**
 * DANE with a zone that Knot DNS signs and serves and that Unbound validates. The delivery resolves names through
 * Unbound, and sends to a partner whose certificate the zone names or not.
 */
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { TlsRequirement } from '../../shared/contract/jobs.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { defaultTimeouts } from '../../shared/net/gated-connection.ts'
import { findNextHops } from '../../shared/net/next-hops.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { deliverBySmtp, type Outcome } from '../../shared/net/smtp-delivery.ts'
import { noMtaSts } from '../../shared/policy/transport-security.ts'
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

/** The certificate of every partner with TLS that has no other. */
let good: Identity
let others: Record<'rootless' | 'expired' | 'misnamed', Identity>
let names: NameServers
let ca: string

before(
  async () => {
    if (skip) return
    const pki = await createPki()
    ca = pki.ca
    const issue = async (options: Parameters<typeof pki.issue>[0]): Promise<Identity> => {
      const { cert, key } = await pki.issue(options)
      // A server with records of usage 2 also sends its authority (RFC 7671 §5.2.2).
      return { cert: `${cert}\n${ca}`, key }
    }
    good = await issue({ names: [`mx.issuer.${signedZone}`] })
    others = {
      rootless: await pki.issue({ names: [`whole.${signedZone}`] }),
      expired: await issue({ names: [], notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) }),
      misnamed: await issue({ names: ['mx.elsewhere.example'] }),
    }
    const resolver = 'dns.resolver.example'
    // Another authority, so that the partners are trusted only because of the zone.
    const resolvers = await createPki('CA of resolvers')
    trust(resolvers.ca)
    names = await startNameServers(
      { signed: signed(), unsigned: hosts(['plain']), forge },
      { ...(await resolvers.issue({ names: [resolver] })), name: resolver },
    )
  },
  { timeout: 120_000 },
)

after(() => names?.stop())

const keyDigest = ({ cert }: Identity) =>
  createHash('sha256')
    .update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')

const firstOf = ({ cert }: Identity) => new X509Certificate(cert).toString()

const none = '0'.repeat(64)

/** Domains with one MX host each. */
function hosts(domains: readonly string[], records: Record<string, string[]> = {}): string[] {
  return domains.flatMap((domain) => [
    `${domain} MX 10 mx.${domain}`,
    `mx.${domain} A 127.0.0.1`,
    ...(records[domain] ?? [`TLSA 3 1 1 ${none}`]).map((record) => `_25._tcp.mx.${domain} ${record}`),
  ])
}

function signed(): string[] {
  const pin = `TLSA 3 1 1 ${keyDigest(good)}`
  const records = {
    pinned: [pin],
    issuer: [`TLSA 2 0 1 ${createHash('sha256').update(new X509Certificate(ca).raw).digest('hex')}`],
    whole: [`TLSA 2 0 0 ${new X509Certificate(ca).raw.toString('hex')}`],
    changing: [`TLSA 3 1 1 ${none}`, pin],
    unusable: [`TLSA 1 1 1 ${keyDigest(good)}`, `TLSA 3 1 9 ${keyDigest(good)}`],
    expired: [`TLSA 3 1 1 ${keyDigest(others.expired)}`],
    elsewhere: ['CNAME tlsa.elsewhere'],
    broken: [],
    nothing: [],
    // More than fits in a datagram.
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

/** What an attacker on the path would change: the certificate in the record, and the host. */
function forge(line: string): string {
  if (/\s(RRSIG|NSEC)\s/.test(line)) return line
  if (line.startsWith('_25._tcp.mx.forged.')) return line.replace(/[0-9A-F]{64}/i, none)
  if (line.startsWith('exchanged.')) return line.replace('mx.exchanged', 'mx.pinned')
  return line
}

interface Sent {
  outcome: Outcome
  /** The partner of the last attempt. */
  partner: Partner
}

/** A partner stands behind port 25 of every host. */
async function send(
  domain: string,
  behaviour: PartnerOptions = { tls: good },
  server = names.explaining,
): Promise<Sent> {
  const partner = await startPartner(behaviour)
  try {
    const address = `bob@${domain}`
    const outcomes = await deliverBySmtp(
      { kind: 'Mx', domain },
      {
        message: message(),
        recipients: [recipient({ address })],
        content: Buffer.from('Subject: hello\r\n\r\nsecret\r\n'),
        tls: easy,
      },
      {
        ehloName: 'mail.ours.example',
        resolver: createResolver([server]),
        privateNetworks: ['127.0.0.0/8'],
        random: Math.random,
        timeouts: defaultTimeouts,
        mtaSts: async () => noMtaSts,
        readCredentials: async () => assert.fail('no certificate of ours is asked for'),
        find: async (...looked) => {
          const found = await findNextHops(...looked)
          return found.kind === 'NotFound'
            ? found
            : { ...found, hops: found.hops.map((hop) => ({ ...hop, port: partner.port })) }
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

const easy: TlsRequirement = {
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

const shown = ({ outcome: { outcome, policy, policySource, reply, tls } }: Sent): string =>
  [
    outcome,
    policy,
    policySource,
    tls === null ? 'clear' : tls.verified ? 'verified' : 'encrypted',
    reply.enhanced,
  ].join(' ')

describe('DANE, with a zone that Knot signed and Unbound validates', { skip, timeout: 120_000 }, () => {
  const delivered: [string, string, () => Identity][] = [
    ['pinned', 'a key that the zone names', () => good],
    ['pinned', 'a key that the zone names, without its issuer', () => ({ ...good, cert: firstOf(good) })],
    ['changing', 'one of two keys that the zone names, while keys change', () => good],
    ['issuer', 'an issuer that the zone names', () => good],
    ['whole', 'an issuer whose certificate only the zone holds', () => others.rootless],
    ['elsewhere', 'a key that the zone names behind an alias', () => good],
    ['many', 'one of more keys than a datagram holds', () => good],
    ['alias', 'a key named for the host that the mail exchanger is an alias of', () => good],
    ['outside', 'a key named for an alias that leads out of what is signed', () => good],
    ['expired', 'a key that the zone names, of an expired certificate for nobody', () => others.expired],
  ]
  for (const [domain, what, tls] of delivered) {
    it(`delivers to ${what}`, async () => {
      const sent = await send(`${domain}.${signedZone}`, { tls: tls() })
      assert.equal(shown(sent), 'Delivered Dane Dane verified 2.0.0', formatReply(sent.outcome.reply))
      assert.equal(sent.partner.received[0]?.tls?.protocol, 'TLSv1.3')
    })
  }

  it('skips an MX host whose key the zone does not name', async () => {
    const { outcome, partner } = await send(`two.${signedZone}`)
    assert.deepEqual([outcome.outcome, outcome.host], ['Delivered', `mx.pinned.${signedZone}`])
    assert.equal(partner.connections(), 2)
    assert.equal(partner.received.length, 1)
  })

  const refused: [string, string, () => PartnerOptions, string][] = [
    [
      'mismatch',
      'a key that the zone does not name',
      () => ({ tls: good }),
      'TlsNotMet Dane Dane encrypted 4.7.323',
    ],
    [
      'pinned',
      'another key than it names',
      () => ({ tls: others.misnamed }),
      'TlsNotMet Dane Dane encrypted 4.7.323',
    ],
    [
      'issuer',
      'another name of its issuer',
      () => ({ tls: others.misnamed }),
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
  for (const [domain, what, behaviour, expected] of refused) {
    it(`sends nothing to ${what}`, async () => {
      const sent = await send(`${domain}.${signedZone}`, behaviour())
      assert.equal(shown(sent), expected, formatReply(sent.outcome.reply))
      assert.deepEqual(
        sent.partner.commands.filter((command) => /^(MAIL|RCPT|DATA)/.test(command)),
        [],
      )
    })
  }

  it('requires only encryption where the zone has no usable TLSA record', async () => {
    const sent = await send(`unusable.${signedZone}`, { tls: others.misnamed })
    assert.equal(shown(sent), 'Delivered EncryptionOnly Dane encrypted 2.0.0')
  })

  it('requires nothing where the zone proves that there are no TLSA records', async () => {
    assert.equal(
      shown(await send(`nothing.${signedZone}`, {})),
      'Delivered Opportunistic Opportunistic clear 2.0.0',
    )
  })

  it('ignores unsigned TLSA records', async () => {
    assert.equal(
      shown(await send(`plain.${unsignedZone}`, {})),
      'Delivered Opportunistic Opportunistic clear 2.0.0',
    )
  })

  const untried: [string, string, string][] = [
    ['forged', 'a record that was changed on the way', 'TlsNotMet Dane Dane clear 4.7.324'],
    [
      'exchanged',
      'a mail exchanger that was changed on the way',
      'TemporaryFailure Opportunistic Opportunistic clear 4.7.324',
    ],
    ['broken', 'a host for whose records no server can answer', 'TemporaryFailure Dane Dane clear 4.4.312'],
  ]
  for (const [domain, what, expected] of untried) {
    for (const kind of ['explaining', 'terse'] as const) {
      it(`does not connect for ${what}, by a resolver that is ${kind}`, async () => {
        const sent = await send(`${domain}.${signedZone}`, { tls: good }, names[kind])
        assert.equal(shown(sent), expected, formatReply(sent.outcome.reply))
        assert.equal(sent.partner.connections(), 0)
      })
    }
  }

  describe('with a resolver over TLS', () => {
    const rows: [string, string][] = [
      [`pinned.${signedZone}`, 'Delivered Dane Dane verified 2.0.0'],
      [`many.${signedZone}`, 'Delivered Dane Dane verified 2.0.0'],
      [`mismatch.${signedZone}`, 'TlsNotMet Dane Dane encrypted 4.7.323'],
      [`forged.${signedZone}`, 'TlsNotMet Dane Dane clear 4.7.324'],
      [`broken.${signedZone}`, 'TemporaryFailure Dane Dane clear 4.4.312'],
      [`plain.${unsignedZone}`, 'Delivered Opportunistic Opportunistic encrypted 2.0.0'],
    ]
    for (const [domain, expected] of rows) {
      it(`decides mail for ${domain} as without TLS to the resolver: ${expected}`, async () => {
        const sent = await send(domain, { tls: good }, names.byTls)
        assert.equal(shown(sent), expected, formatReply(sent.outcome.reply))
      })
    }

    it('sends no query to a resolver without the expected name', async () => {
      const sent = await send(`pinned.${signedZone}`, { tls: good }, names.byTls.replace('#dns', '#other'))
      assert.equal(shown(sent), 'TemporaryFailure Opportunistic Opportunistic clear 4.4.312')
      assert.match(formatReply(sent.outcome.reply), /ERR_TLS_CERT_ALTNAME_INVALID/)
      assert.equal(sent.partner.connections(), 0)
    })

    it('answers concurrent queries over one connection', async () => {
      const { query } = createResolver([names.byTls], [{ transport: 'Stream', timeoutMs: 20_000 }])
      const domains = ['pinned', 'issuer', 'whole', 'changing', 'many', 'nothing']
      const answers = await Promise.all(domains.map((domain) => query(`${domain}.${signedZone}`, 'MX')))
      assert.deepEqual(
        answers,
        domains.map((domain) => ({
          kind: 'Found',
          records: [{ preference: 10, exchange: `mx.${domain}.${signedZone}` }],
          secure: true,
          name: `${domain}.${signedZone}`,
        })),
      )
    })
  })

  it('bounces mail for a domain that does not exist', async () => {
    const { outcome } = await send(`gone.${signedZone}`)
    assert.equal(outcome.reply.enhanced, '5.1.2')
  })
})
