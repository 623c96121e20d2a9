/** Tests GET /accepted-domains/{domain}/dns with a zone that is a table, and with name servers that do not answer. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createValidationApi } from '../../../functions/validate-connector/api.ts'
import type { AcceptedDomain } from '../../../shared/connectors/schema.ts'
import type { PublishedCertificate } from '../../../shared/contract/certificates.ts'
import { invisibleFault } from '../../../shared/contract/visible-text.ts'
import { type DnsCheck, DomainDns } from '../../../shared/domain-records/domain-dns.ts'
import { formatPolicy } from '../../../shared/net/mta-sts/published.ts'
import type { Resolver } from '../../../shared/net/resolver.ts'
import { iamAuthorizer } from '../../support/api-client.ts'
import { createGatewayCertificate } from '../../support/cli/dns-setup.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'
import { createPki, type Pki } from '../../support/pki.ts'
import { type PolicyHost, plainText, policyText, startPolicyHost, trust } from '../../support/policy-host.ts'
import { signedIn } from '../../support/sign-in.ts'

const domain = 'ours.example'
const host = 'mx.ours.example'

let pki: Pki
let policyHost: PolicyHost
let certificate: PublishedCertificate
let tlsa: [number, number, number, string]

before(async () => {
  pki = await createPki('Root of DNS checks')
  trust(pki.ca)
  const identity = await pki.issue({ names: [`mta-sts.${domain}`] })
  policyHost = await startPolicyHost(identity, plainText(policyText({ mx: [host] })))
  certificate = (await createGatewayCertificate(pki, { names: [host] })).published
  tlsa = [3, 1, 1, certificate.publicKeyFingerprint256]
})
after(() => policyHost.stop())

interface Setup {
  zone?: Zone
  /** In place of the zone. */
  resolver?: Resolver
  path?: string
  query?: string
  certificates?: readonly PublishedCertificate[] | null
  privateNetworks?: readonly string[]
  totalMs?: number
  request?: object
}

async function call({ zone = {}, path = domain, query = '', request = {}, ...setup }: Setup) {
  const { certificates = [certificate], privateNetworks = ['127.0.0.0/8'], totalMs } = setup
  const hostname = host
  const protocol = { versions: [], cipherSuites: [], groups: [] }
  const changedAt = '2026-01-01T00:00:00.000Z'
  const api = createValidationApi({
    outbound: { get: assert.fail, saveValidation: assert.fail },
    acceptedDomains: {
      get: async (name) => (name === domain ? ({ domain } as AcceptedDomain) : null),
      page: assert.fail,
    },
    validate: assert.fail,
    published: {
      read: async () =>
        certificates && { hostname, changedAt, certificates: [...certificates], tlsaRecords: [], protocol },
    },
    resolver: setup.resolver ?? fakeResolver(zone),
    privateNetworks,
    hostname,
    roles: { claim: 'groups', mapping: { viewers: ['read'], auditors: ['audit'] } },
    logger: { info: () => {}, error: assert.fail } as unknown as Logger,
    ...(totalMs !== undefined && { totalMs }),
  })
  const result = await api({
    version: '2.0',
    routeKey: 'GET /accepted-domains/{domain}/dns',
    rawPath: `/accepted-domains/${path}/dns`,
    rawQueryString: query,
    headers: {},
    requestContext: { requestId: '1', http: { method: 'GET' }, authorizer: iamAuthorizer },
    isBase64Encoded: false,
    ...request,
  } as unknown as APIGatewayProxyEventV2)
  return { status: result.statusCode, text: result.body ?? '', body: JSON.parse(result.body ?? 'null') }
}

async function checksOf(setup: Setup): Promise<DomainDns> {
  const { status, body, text } = await call(setup)
  assert.equal(status, 200, text)
  return DomainDns.parse(body)
}

async function checkOf(check: string, setup: Setup): Promise<DnsCheck> {
  const { checks } = await checksOf(setup)
  return checks.find((each) => each.check === check) ?? assert.fail(`there is no check of ${check}`)
}

const statusByCheck = ({ checks }: DomainDns): Record<string, string> =>
  Object.fromEntries(checks.map(({ check, status }) => [check, status]))

const { id } = formatPolicy({ mode: 'enforce', mxHosts: [host], maxAgeSeconds: 604_800 })

/** Everything is published as the gateway needs it. */
const goodZone = (): Required<Pick<Zone, 'mx' | 'a' | 'aaaa' | 'tlsa' | 'txt' | 'caa'>> & Zone => ({
  mx: { [domain]: [[10, host]] },
  a: { [host]: ['8.8.8.8'], [`mta-sts.${domain}`]: [policyHost.address] },
  aaaa: { [host]: ['2001:4860:4860::8888'] },
  tlsa: { [`_25._tcp.${host}`]: [tlsa] },
  txt: {
    [domain]: ['v=spf1 include:amazonses.com -all'],
    'amazonses.com': ['v=spf1 ip4:199.255.192.0/22 -all'],
    [`_dmarc.${domain}`]: ['v=DMARC1; p=reject; rua=mailto:dmarc@ours.example'],
    [`_mta-sts.${domain}`]: [`v=STSv1; id=${id}`],
    [`_smtp._tls.${domain}`]: ['v=TLSRPTv1; rua=mailto:tls@ours.example'],
  },
  caa: { [domain]: [[0, 'issue', 'amazon.com']] },
  // A name without a TXT record.
  ptr: { [`_domainkey.${domain}`]: [host] },
  secure: ['arpa', domain, host, `_25._tcp.${host}`],
})

describe('GET /accepted-domains/{domain}/dns', () => {
  it('finds everything OK, lists the records to publish as lines of a zone file, and has nothing to change', async () => {
    const result = await checksOf({ zone: goodZone() })
    assert.deepEqual(statusByCheck(result), {
      'Accepted domain': 'OK',
      MX: 'OK',
      Address: 'OK',
      IPv6: 'OK',
      Certificate: 'OK',
      CAA: 'OK',
      SPF: 'OK',
      DKIM: 'OK',
      DMARC: 'OK',
      'MTA-STS policy': 'OK',
      'MTA-STS': 'OK',
      'TLS-RPT': 'OK',
      DNSSEC: 'OK',
      TLSA: 'OK',
    })
    assert.deepEqual(result.records, [
      `${domain}. IN MX 10 ${host}.`,
      `${domain}. IN TXT "v=spf1 include:amazonses.com -all"`,
      `_mta-sts.${domain}. IN TXT "v=STSv1; id=${id};"`,
      `_smtp._tls.${domain}. IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@${domain}"`,
      `_25._tcp.${host}. IN TLSA ${tlsa.join(' ')}`,
    ])
    assert.deepEqual([result.domain, result.hosts, result.policy.id], [domain, [host], id])
    assert.deepEqual(
      result.checks.flatMap(({ expected, publish }) => [...expected, ...publish]),
      [],
    )
    assert.deepEqual(result.checks.find(({ check }) => check === 'MX')?.found, [`10 ${host}.`])
  })

  it('names what is missing, with the lines to paste', async () => {
    const result = await checksOf({ zone: { a: { [host]: ['8.8.8.8'] }, secure: ['arpa', host] } })
    assert.deepEqual(statusByCheck(result), {
      'Accepted domain': 'OK',
      MX: 'MISSING',
      Address: 'OK',
      IPv6: 'ADVICE',
      Certificate: 'OK',
      CAA: 'ADVICE',
      SPF: 'MISSING',
      DKIM: 'MISSING',
      DMARC: 'MISSING',
      'MTA-STS policy': 'MISSING',
      'MTA-STS': 'MISSING',
      'TLS-RPT': 'MISSING',
      DNSSEC: 'WARN',
      TLSA: 'WARN',
    })
    const publish = result.checks.flatMap((each) => each.publish)
    assert.ok(publish.includes(`${domain}. IN MX 10 ${host}.`), publish.join('\n'))
    assert.ok(publish.includes(`${domain}. IN CAA 0 issue "amazon.com"`), publish.join('\n'))
    const policy = result.checks.find(({ check }) => check === 'MTA-STS policy')
    assert.deepEqual(policy?.expected, ['version: STSv1', 'mode: testing', `mx: ${host}`, 'max_age: 604800'])
    assert.deepEqual(policy?.publish, [])
  })

  it('names what differs: found, expected, and the line to paste', async () => {
    const found = await checkOf('MX', {
      zone: { ...goodZone(), mx: { [domain]: [[5, 'mx.elsewhere.example']] } },
    })
    assert.deepEqual(found, {
      check: 'MX',
      name: domain,
      status: 'DIFFERENT',
      found: ['5 mx.elsewhere.example.'],
      expected: [`10 ${host}.`],
      publish: [`${domain}. IN MX 10 ${host}.`],
      detail: [
        'Mail bypasses this gateway through mx.elsewhere.example: no connector applies there.',
        `The MX records do not include ${host}.`,
      ],
    } satisfies DnsCheck)
  })

  it('checks the DKIM selectors of the parameter, and says how to name them', async () => {
    const zone = goodZone()
    zone.txt[`one._domainkey.${domain}`] = ['v=DKIM1; p=']
    const { checks } = await checksOf({ zone, query: 'dkimSelector=one,%20TWO,one' })
    assert.deepEqual(
      checks.filter(({ check }) => check === 'DKIM').map(({ name, status }) => [name, status]),
      [
        [`one._domainkey.${domain}`, 'DIFFERENT'],
        [`two._domainkey.${domain}`, 'MISSING'],
      ],
    )
    const { detail } = await checkOf('DKIM', { zone })
    assert.match(detail.join(' '), /with the parameter dkimSelector/)
  })

  it('names settings of the deployment in place of options of the command', async () => {
    const { secure: _, ...unsigned } = goodZone()
    const { checks } = await checksOf({ zone: unsigned })
    const detail = checks.flatMap((each) => each.detail).join(' ')
    assert.match(detail, /in the setting dnsServers/)
    assert.doesNotMatch(detail, / --/)
  })

  it('compares with the host name of the deployment until certificates are published', async () => {
    const { checks, hosts } = await checksOf({ zone: goodZone(), certificates: null })
    assert.deepEqual(hosts, [host])
    assert.equal(checks.find(({ check }) => check === 'TLSA')?.status, 'UNKNOWN')
  })

  for (const [title, setup, status] of [
    ['a domain that is not accepted', { path: 'other.example' }, 404],
    ['a path without a domain name', { path: 'a..b' }, 404],
    ['a selector that cannot be part of a name', { query: 'dkimSelector=a%20b' }, 400],
    ['an empty selector', { query: 'dkimSelector=' }, 400],
    [
      'eleven selectors',
      { query: `dkimSelector=${Array.from({ length: 11 }, (_, index) => `s${index}`)}` },
      400,
    ],
    ['a resolver in the query', { query: 'dnsServer=10.0.0.1' }, 400],
    ['a caller without a role', { request: signedIn({ groups: ['others'] }) }, 403],
  ] as const)
    it(`refuses ${title} with ${status}, and sends no query`, async () => {
      const { request = {}, ...rest } = setup as Setup & { request?: { authorizer?: object } }
      const resolver = fakeResolver({})
      const result = await call({ ...rest, resolver, request: withAuthorizer(request) })
      assert.equal(result.status, status, result.text)
      assert.deepEqual(resolver.queries, [])
    })

  it('permits the roles read and audit', async () => {
    for (const group of ['viewers', 'auditors'])
      assert.equal(
        (await call({ request: withAuthorizer(signedIn({ groups: [group] })) })).status,
        200,
        group,
      )
  })
})

/** Moves the authorizer of a signed-in person into the request context. */
const withAuthorizer = ({ authorizer, ...request }: { authorizer?: object }): object =>
  authorizer === undefined
    ? request
    : { ...request, requestContext: { requestId: '1', http: { method: 'GET' }, authorizer } }

describe('GET /accepted-domains/{domain}/dns with name servers and policy hosts that fail', () => {
  /** Never answers a query for these names; ends with the signal, as every resolver does. */
  const silentFor = (isSilent: (name: string) => boolean, zone: Zone): Resolver => {
    const answering = fakeResolver(zone)
    return {
      query: (name, type, signal) =>
        isSilent(name)
          ? new Promise((resolve) => {
              const end = () => resolve({ kind: 'Failed', code: 'ETIMEOUT', bogus: false })
              if (signal?.aborted) end()
              signal?.addEventListener('abort', end, { once: true })
            })
          : answering.query(name, type, signal),
    }
  }

  it('ends in the given time when no name server answers, and says so of each check', async () => {
    const started = performance.now()
    const { checks } = await checksOf({ resolver: silentFor(() => true, {}), totalMs: 200 })
    assert.ok(performance.now() - started < 5_000)
    const unanswered = checks.filter(({ detail }) => /ETIMEOUT|query for/.test(detail.join(' ')))
    assert.deepEqual(
      unanswered.map(({ check, status }) => `${check} ${status}`),
      [
        'MX',
        'Address',
        'IPv6',
        'CAA',
        'SPF',
        'DKIM',
        'DMARC',
        'MTA-STS policy',
        'MTA-STS',
        'TLS-RPT',
        'TLSA',
      ].map((check) => `${check} UNKNOWN`),
    )
    const dnssec = checks.find(({ check }) => check === 'DNSSEC')
    assert.equal(dnssec?.status, 'UNKNOWN')
    assert.match(dnssec.detail.join(' '), /^The resolver answered no query/)
  })

  it('keeps the results of the name servers that answer', async () => {
    const resolver = silentFor((name) => name === `_dmarc.${domain}`, goodZone())
    const status = statusByCheck(await checksOf({ resolver, totalMs: 500 }))
    assert.deepEqual(
      [status.DMARC, status.SPF, status.MX, status['MTA-STS policy']],
      ['UNKNOWN', 'OK', 'OK', 'OK'],
    )
  })

  it('says which queries failed, and that DNSSEC validation failed', async () => {
    const zone = {
      ...goodZone(),
      fail: { [`_dmarc.${domain}`]: 'ESERVFAIL', [`_smtp._tls.${domain}`]: 'BOGUS' },
    }
    const { checks } = await checksOf({ zone })
    const [dmarc, tlsRpt] = ['DMARC', 'TLS-RPT'].map((name) => checks.find(({ check }) => check === name))
    assert.deepEqual([dmarc?.status, dmarc?.detail], ['UNKNOWN', ['The DNS query failed (ESERVFAIL).']])
    assert.equal(tlsRpt?.status, 'DIFFERENT')
  })

  it('connects to no policy host at a private address that is not listed', async () => {
    const before = policyHost.requests.length
    const policy = await checkOf('MTA-STS policy', { zone: goodZone(), privateNetworks: [] })
    assert.equal(policy.status, 'MISSING')
    assert.match(policy.detail.join(' '), /no address that may be used/)
    assert.equal(policyHost.requests.length, before)
  })
})

describe('GET /accepted-domains/{domain}/dns with hostile records', () => {
  const textsOf = ({ checks }: DomainDns) =>
    checks.flatMap(({ name, found, expected, publish, detail }) => [
      name,
      ...found,
      ...expected,
      ...publish,
      ...detail,
    ])

  it('shows no invisible character, and no line to paste that means something else', async () => {
    const hostile = 'v=spf1 \u001B[2J\u0000\r\nours.example. IN MX 0 evil.example.\u0085 -all'
    const zone = goodZone()
    zone.txt[domain] = [hostile]
    zone.caa[domain] = [[0, 'issue', 'ca.example\u0007\u009B']]
    const result = await checksOf({ zone, totalMs: 2_000 })
    for (const text of textsOf(result)) assert.equal(invisibleFault(text), null, JSON.stringify(text))
    const [spf, caa] = ['SPF', 'CAA'].map((name) => result.checks.find(({ check }) => check === name))
    assert.deepEqual(spf?.found, ['"v=spf1 ?[2J? ours.example. IN MX 0 evil.example.  -all"'])
    assert.deepEqual(spf?.publish, [])
    // `ca.example` is not an issuer of the gateway's certificates, and its record has hidden characters.
    assert.deepEqual(caa?.publish, [`${domain}. IN CAA 0 issue "amazon.com"`])
  })

  for (const owner of ['a IN MX 0 evil.example. ;', '$INCLUDE', '(', 'a"'])
    it(`has no line to paste for the name ${owner}`, async () => {
      const zone = { ...goodZone(), cname: { [domain]: owner } }
      zone.caa = { [owner]: [[0, 'issue', 'ca.example']] }
      const caa = await checkOf('CAA', { zone })
      assert.deepEqual([caa.name, caa.expected.length, caa.publish], [owner, 2, []])
    })

  it('limits the length of each text and the number of texts, so that the response is below 6 MB', async () => {
    const zone = goodZone()
    const long = '"'.repeat(60_000)
    zone.mx[domain] = Array.from({ length: 3000 }, (_, index) => [
      index,
      `mx${index}.${'a'.repeat(60)}.example`,
    ])
    zone.txt[domain] = [`v=spf1 ${long} -all`]
    zone.txt[`_dmarc.${domain}`] = [`v=DMARC1; p=none; rua=${long}`, `v=DMARC1; ${long}`]
    zone.txt[`_smtp._tls.${domain}`] = Array.from({ length: 3000 }, () => 'v=TLSRPTv1;')
    zone.caa[domain] = Array.from({ length: 3000 }, () => [0, 'issue', 'ca.example'])
    for (const index of Array(10).keys())
      zone.txt[`s${index}._domainkey.${domain}`] = Array(200).fill(long.slice(0, 3000))
    const query = `dkimSelector=${Array.from({ length: 10 }, (_, index) => `s${index}`)}`
    const { status, text, body } = await call({ zone, query })
    assert.equal(status, 200, text.slice(0, 500))
    const result = DomainDns.parse(body)
    assert.equal(result.checks.find(({ check }) => check === 'MX')?.found.length, 100)
    assert.equal(result.checks.find(({ check }) => check === 'SPF')?.found[0]?.length, 2000)
    assert.deepEqual(result.checks.find(({ check }) => check === 'SPF')?.publish, [])
    assert.ok(Buffer.byteLength(text) < 6_000_000, `${Buffer.byteLength(text)} octets`)
  })
})
