import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReply } from '../../../shared/mail/reply.ts'
import { findNextHops, type NextHopsResult, type SmtpRoute } from '../../../shared/net/next-hops.ts'
import type { DaneState } from '../../../shared/policy/hop-facts.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'

const domain = 'partner.example'
const byMx: SmtpRoute = { kind: 'Mx', domain }
const bySmartHost = (host: string, port = 25): SmtpRoute => ({ kind: 'SmartHosts', hosts: [{ host, port }] })

async function resolveHops(zone: Zone, route = byMx, dane = true) {
  const resolver = fakeResolver(zone)
  const result = await findNextHops(route, resolver, {
    privateNetworks: [],
    dane,
    random: () => 0,
    signal: AbortSignal.timeout(10_000),
  })
  return {
    result,
    tlsaQueries: resolver.queries.filter((question) => question.startsWith('TLSA ')),
    resolver,
  }
}

const describeDane = (dane: DaneState): string => {
  switch (dane.kind) {
    case 'None':
      return 'none'
    case 'Failed':
      return `${dane.bogus ? 'bogus' : 'failed'}: ${formatReply(dane.reply)}`
    case 'Records': {
      const records = dane.records.map(({ usage, selector, matchingType, data }) =>
        [usage, selector, matchingType, data].join(' '),
      )
      return `${records.join(', ')} at ${dane.baseDomain} for ${dane.names.join(', ')}`
    }
  }
}

const describeHops = (result: NextHopsResult): string | string[] =>
  result.kind === 'NotFound'
    ? formatReply(result.reply)
    : result.hops.map(
        ({ host, ip, authentic, dane }) =>
          `${host} ${ip}${authentic ? ' authentic' : ''}, ${describeDane(dane)}`,
      )

const mx: Zone['mx'] = { [domain]: [[10, 'mx.partner.example']] }
const a = { 'mx.partner.example': ['8.8.8.1'] }
const tlsaName = '_25._tcp.mx.partner.example'
const tlsa: Zone['tlsa'] = { [tlsaName]: [[3, 1, 1, 'ab']] }
const signed = [domain, 'mx.partner.example', tlsaName]

describe('the TLSA records of an MX host', () => {
  const rows: [string, Zone, string | string[], string[]][] = [
    [
      'are used when they and every record that leads to them are signed',
      { mx, a, tlsa, secure: signed },
      [
        'mx.partner.example 8.8.8.1 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      ],
      [tlsaName],
    ],
    [
      'include unusable records',
      {
        mx,
        a,
        tlsa: {
          [tlsaName]: [
            [3, 1, 1, 'ab'],
            [0, 0, 1, 'cd'],
          ],
        },
        secure: signed,
      },
      [
        'mx.partner.example 8.8.8.1 authentic, 3 1 1 ab, 0 0 1 cd at mx.partner.example for mx.partner.example, partner.example',
      ],
      [tlsaName],
    ],
    [
      'are not queried when the MX records are unsigned',
      { mx, a, tlsa, secure: signed.slice(1) },
      ['mx.partner.example 8.8.8.1, none'],
      [],
    ],
    [
      'are not queried when the addresses are unsigned',
      { mx, a, fail: { [tlsaName]: 'ESERVFAIL' }, secure: [domain] },
      ['mx.partner.example 8.8.8.1 authentic, none'],
      [],
    ],
    [
      'are not used when they are unsigned',
      { mx, a, tlsa, secure: signed.slice(0, 2) },
      ['mx.partner.example 8.8.8.1 authentic, none'],
      [tlsaName],
    ],
    [
      'are empty when DNSSEC proves that none exist',
      { mx, a, secure: signed },
      ['mx.partner.example 8.8.8.1 authentic, none'],
      [tlsaName],
    ],
    [
      'make the host unreachable when their query fails',
      { mx, a, fail: { [tlsaName]: 'ETIMEOUT' }, secure: signed },
      [
        'mx.partner.example 8.8.8.1 authentic, failed: 451 4.4.312 DNS failed for the TLSA records of mx.partner.example: ETIMEOUT',
      ],
      [tlsaName],
    ],
    [
      'make the host unreachable when they are bogus',
      { mx, a, fail: { [tlsaName]: 'BOGUS' }, secure: signed },
      [
        'mx.partner.example 8.8.8.1 authentic, bogus: 451 4.7.324 DNSSEC validation failed for the TLSA records of mx.partner.example',
      ],
      [tlsaName],
    ],
    [
      'do not make other hosts unreachable when their query fails',
      {
        mx: {
          [domain]: [
            [10, 'mx.partner.example'],
            [20, 'mx2.partner.example'],
          ],
        },
        a: { ...a, 'mx2.partner.example': ['8.8.8.2'] },
        fail: { [tlsaName]: 'ESERVFAIL' },
        tlsa: { '_25._tcp.mx2.partner.example': [[3, 1, 1, 'cd']] },
        secure: [...signed, 'mx2.partner.example', '_25._tcp.mx2.partner.example'],
      },
      [
        'mx.partner.example 8.8.8.1 authentic, failed: 451 4.4.312 DNS failed for the TLSA records of mx.partner.example: ESERVFAIL',
        'mx2.partner.example 8.8.8.2 authentic, 3 1 1 cd at mx2.partner.example for mx2.partner.example, partner.example',
      ],
      [tlsaName, '_25._tcp.mx2.partner.example'],
    ],
    [
      'are queried when the address query of one family fails and that of the other succeeds',
      {
        mx,
        aaaa: { 'mx.partner.example': ['2a00:1450::1'] },
        tlsa,
        fail: { 'A mx.partner.example': 'ESERVFAIL' },
        secure: signed,
      },
      [
        'mx.partner.example 2a00:1450::1 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      ],
      [tlsaName],
    ],
    [
      'are queried when the addresses of only one family are signed',
      {
        mx,
        a,
        aaaa: { 'mx.partner.example': ['2a00:1450::1'] },
        tlsa,
        secure: [domain, 'AAAA mx.partner.example', tlsaName],
      },
      [
        'mx.partner.example 8.8.8.1 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
        'mx.partner.example 2a00:1450::1 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      ],
      [tlsaName],
    ],
    [
      'are the same for every address of the host',
      { mx, a: { 'mx.partner.example': ['8.8.8.1', '8.8.8.2'] }, tlsa, secure: signed },
      [
        'mx.partner.example 8.8.8.1 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
        'mx.partner.example 8.8.8.2 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      ],
      [tlsaName],
    ],
    [
      'may be found through an alias of their name, whose target is not a name for the certificate',
      {
        mx,
        a,
        cname: { [tlsaName]: 'tlsa.partner.example' },
        tlsa: { 'tlsa.partner.example': [[2, 0, 1, 'cd']] },
        secure: [...signed, 'tlsa.partner.example'],
      },
      [
        'mx.partner.example 8.8.8.1 authentic, 2 0 1 cd at mx.partner.example for mx.partner.example, partner.example',
      ],
      [tlsaName],
    ],
    [
      'are not used when an alias of their name leads into an unsigned zone',
      {
        mx,
        a,
        cname: { [tlsaName]: 'tlsa.elsewhere.example' },
        tlsa: { 'tlsa.elsewhere.example': [[2, 0, 1, 'cd']] },
        secure: signed,
      },
      ['mx.partner.example 8.8.8.1 authentic, none'],
      [tlsaName],
    ],
    [
      'are not queried when the host has only private addresses',
      { mx, a: { 'mx.partner.example': ['10.0.0.1'] }, tlsa, secure: signed },
      '451 4.4.312 No mail exchanger of partner.example has an address that may be used',
      [],
    ],
    [
      'are not queried when their name is too long for DNS',
      {
        mx: { [domain]: [[10, `${'a.'.repeat(121)}example`]] },
        a: { [`${'a.'.repeat(121)}example`]: ['8.8.8.1'] },
        secure: [domain, `${'a.'.repeat(121)}example`],
      },
      [`${'a.'.repeat(121)}example 8.8.8.1 authentic, none`],
      [],
    ],
  ]
  for (const [title, zone, expected, expectedQueries] of rows) {
    it(title, async () => {
      const { result, tlsaQueries } = await resolveHops(zone)
      assert.deepEqual(describeHops(result), expected)
      assert.deepEqual(
        tlsaQueries,
        expectedQueries.map((name) => `TLSA ${name}`),
      )
    })
  }

  it('are not queried when DANE is disabled', async () => {
    const { result, tlsaQueries } = await resolveHops({ mx, a, tlsa, secure: signed }, byMx, false)
    assert.deepEqual(describeHops(result), ['mx.partner.example 8.8.8.1 authentic, none'])
    assert.deepEqual(tlsaQueries, [])
  })
})

describe('an MX host that is an alias', () => {
  const cname = { 'mx.partner.example': 'real.hoster.example' }
  const addresses = { 'real.hoster.example': ['8.8.8.1'] }
  const expandedName = '_25._tcp.real.hoster.example'
  const tlsaOfBothNames = { ...tlsa, [expandedName]: [[2, 1, 1, 'cd']] } as Zone['tlsa'] & {}
  const allSigned = [...signed, 'real.hoster.example', expandedName]
  const rows: [string, Zone, string, string[]][] = [
    [
      "has its target's TLSA records when both names have records",
      { tlsa: tlsaOfBothNames, secure: allSigned },
      '2 1 1 cd at real.hoster.example for real.hoster.example, partner.example',
      [expandedName],
    ],
    [
      'has its own TLSA records when its target has none',
      { tlsa, secure: allSigned },
      '3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      [expandedName, tlsaName],
    ],
    [
      "has its own TLSA records when its target's are unsigned",
      { tlsa: tlsaOfBothNames, secure: [...signed, 'real.hoster.example'] },
      '3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      [expandedName, tlsaName],
    ],
    [
      "is unreachable when the query for its target's TLSA records fails",
      { tlsa, fail: { [expandedName]: 'ESERVFAIL' }, secure: allSigned },
      'failed: 451 4.4.312 DNS failed for the TLSA records of real.hoster.example: ESERVFAIL',
      [expandedName],
    ],
    [
      'has no TLSA records when neither name has any',
      { secure: allSigned },
      'none',
      [expandedName, tlsaName],
    ],
    [
      'has its own TLSA records when its target is in an unsigned zone',
      { tlsa: tlsaOfBothNames, secure: [...signed, expandedName] },
      '3 1 1 ab at mx.partner.example for mx.partner.example, partner.example',
      [tlsaName],
    ],
    [
      'has no TLSA records when the alias is unsigned',
      { tlsa: tlsaOfBothNames, secure: [domain, tlsaName, 'real.hoster.example', expandedName] },
      'none',
      [],
    ],
    [
      'is unreachable when the query for the alias fails',
      { tlsa: tlsaOfBothNames, fail: { 'CNAME mx.partner.example': 'ETIMEOUT' }, secure: [domain, tlsaName] },
      'failed: 451 4.4.312 DNS failed for the alias mx.partner.example: ETIMEOUT',
      [],
    ],
  ]
  for (const [title, zone, expected, expectedQueries] of rows) {
    it(title, async () => {
      const { result, tlsaQueries } = await resolveHops({ mx, a: addresses, cname, ...zone })
      assert.deepEqual(describeHops(result), [`mx.partner.example 8.8.8.1 authentic, ${expected}`])
      assert.deepEqual(
        tlsaQueries,
        expectedQueries.map((name) => `TLSA ${name}`),
      )
    })
  }
})

describe('a domain that is an alias', () => {
  const zone: Zone = {
    cname: { [domain]: 'real.example' },
    mx: { 'real.example': [[10, 'mx.partner.example']] },
    a,
    tlsa,
  }

  it('has MX hosts whose certificates may be for the MX host, the alias or its target', async () => {
    const { result } = await resolveHops({ ...zone, secure: [...signed, 'real.example'] })
    assert.deepEqual(describeHops(result), [
      'mx.partner.example 8.8.8.1 authentic, 3 1 1 ab at mx.partner.example for mx.partner.example, partner.example, real.example',
    ])
  })

  it('has MX hosts that are not authentic when its target is in an unsigned zone', async () => {
    const { result } = await resolveHops({ ...zone, secure: signed })
    assert.deepEqual(describeHops(result), ['mx.partner.example 8.8.8.1, none'])
  })
})

describe('a domain without MX records', () => {
  const own = `_25._tcp.${domain}`
  it('has the TLSA records under its own name', async () => {
    const { result } = await resolveHops({
      a: { [domain]: ['8.8.8.1'] },
      tlsa: { [own]: [[3, 1, 1, 'ab']] },
      secure: [domain, own],
    })
    assert.deepEqual(describeHops(result), [
      'partner.example 8.8.8.1 authentic, 3 1 1 ab at partner.example for partner.example',
    ])
  })

  it('that is an alias may have a certificate for the alias or its target', async () => {
    const expanded = '_25._tcp.real.example'
    const { result } = await resolveHops({
      cname: { [domain]: 'real.example' },
      a: { 'real.example': ['8.8.8.1'] },
      tlsa: { [expanded]: [[2, 0, 1, 'ab']] },
      secure: [domain, 'real.example', expanded],
    })
    assert.deepEqual(describeHops(result), [
      'partner.example 8.8.8.1 authentic, 2 0 1 ab at real.example for real.example, partner.example',
    ])
  })

  it('is its own MX host, and authentic even when unsigned', async () => {
    const { result, tlsaQueries } = await resolveHops({ a: { [domain]: ['8.8.8.1'] } })
    assert.deepEqual(describeHops(result), ['partner.example 8.8.8.1 authentic, none'])
    assert.equal(result.kind === 'Found' && result.hops[0]?.foundBy, 'Domain')
    assert.deepEqual(tlsaQueries, [])
  })
})

describe('a smart host', () => {
  it('has the TLSA records of its port, and its own name as only name for the certificate', async () => {
    const name = '_587._tcp.mx.partner.example'
    const { result, tlsaQueries } = await resolveHops(
      { a, tlsa: { [name]: [[2, 1, 1, 'ab']] }, secure: ['mx.partner.example', name] },
      bySmartHost('mx.partner.example', 587),
    )
    assert.deepEqual(describeHops(result), [
      'mx.partner.example 8.8.8.1 authentic, 2 1 1 ab at mx.partner.example for mx.partner.example',
    ])
    assert.equal(result.kind === 'Found' && result.hops[0]?.foundBy, 'SmartHost')
    assert.deepEqual(tlsaQueries, [`TLSA ${name}`])
  })

  it('that is an IP address has no TLSA records, and causes no query', async () => {
    const { result, resolver } = await resolveHops({}, bySmartHost('10.0.0.1'))
    assert.deepEqual(describeHops(result), ['10.0.0.1 10.0.0.1 authentic, none'])
    assert.deepEqual(resolver.queries, [])
  })
})

describe('a bogus answer', () => {
  const rows: [string, Zone, string][] = [
    [
      "leads to 4.7.324 when it is for the MX of a domain, although the domain's address query succeeds",
      { a: { [domain]: ['8.8.8.1'] }, fail: { [`MX ${domain}`]: 'BOGUS' } },
      '451 4.7.324 DNSSEC validation failed for the MX of partner.example',
    ],
    [
      'leads to 4.7.324 when it is for the addresses of the only MX host',
      { mx, fail: { 'mx.partner.example': 'BOGUS' } },
      '451 4.7.324 DNSSEC validation failed for the addresses of mx.partner.example',
    ],
  ]
  for (const [title, zone, expected] of rows) {
    it(title, async () => assert.equal(describeHops((await resolveHops(zone)).result), expected))
  }

  it('for the addresses of an MX host leaves other MX hosts as next hops', async () => {
    const { result } = await resolveHops({
      mx: {
        [domain]: [
          [10, 'mx.partner.example'],
          [20, 'mx2.partner.example'],
        ],
      },
      a: { 'mx2.partner.example': ['8.8.8.2'] },
      fail: { 'mx.partner.example': 'BOGUS' },
    })
    assert.deepEqual(describeHops(result), ['mx2.partner.example 8.8.8.2, none'])
  })
})
