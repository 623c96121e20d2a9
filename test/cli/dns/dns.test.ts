/** `dns` against a real name server, policy host and API of the test's own. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { RecordFinding } from '../../../cli/dns/findings/record-finding.ts'
import { publishedPolicy } from '../../../shared/net/mta-sts/published.ts'
import {
  type DnsWorld,
  type Names,
  type OwnCertificate,
  ownCertificate,
  startDnsWorld,
} from '../../support/cli/dns-world.ts'
import { policyText } from '../../support/policy-host.ts'

const domain = 'ours.example'
const host = 'mx.ours.example'
const week = 604_800

let world: DnsWorld
let current: OwnCertificate
let rsa: OwnCertificate
let next: OwnCertificate
let past: OwnCertificate

const idOf = (mode: 'testing' | 'enforce' | 'none', mxHosts = [host], maxAgeSeconds = week): string =>
  publishedPolicy({ mxHosts, mode, maxAgeSeconds }).id

before(async () => {
  world = await startDnsWorld(domain)
  current = await ownCertificate(world.pki, { names: [host] })
  rsa = await ownCertificate(world.pki, { names: [host], rsa: true })
  next = await ownCertificate(world.pki, { names: [host] }, 'Next')
  past = await ownCertificate(world.pki, { names: [host] }, 'Deprecated')
})
after(() => world.stop())

/** All is as it should be. */
const good = (): Names => ({
  arpa: {},
  [domain]: { MX: [[10, host]], TXT: ['something=else', 'v=spf1 include:amazonses.com -all'] },
  [host]: { A: ['8.8.8.8'] },
  'amazonses.com': { TXT: ['v=spf1 ip4:199.255.192.0/22 -all'] },
  [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${idOf('enforce')}`] },
  [`mta-sts.${domain}`]: { A: [world.policyAddress] },
  [`_smtp._tls.${domain}`]: { TXT: [`v=TLSRPTv1; rua=mailto:tls@${domain}`] },
  [`_25._tcp.${host}`]: { TLSA: [current.tlsa, rsa.tlsa, next.tlsa] },
})

beforeEach(() => {
  world.around = {
    names: good(),
    signed: '*',
    policy: { text: policyText({ mx: [host], maxAge: week }) },
    certificates: [current.published, rsa.published, next.published],
    hostname: host,
    accepted: [domain],
  }
})

interface Found {
  status: number
  checks: RecordFinding[]
  json: { records: { name: string; type: string; value: string }[]; policy: { id: string; text: string } }
}

async function look(...args: string[]): Promise<Found> {
  const { status, out, err } = await world.dns(domain, '--json', ...args)
  assert.equal(err, '')
  const json = JSON.parse(out)
  return { status, checks: json.checks, json }
}

const resultsOf = ({ checks }: Found): Record<string, string> =>
  Object.fromEntries(checks.map(({ record, result }) => [record, result]))

const named = ({ checks }: Found, record: string): RecordFinding => {
  const found = checks.find((check) => check.record === record)
  assert.ok(found, `there is a check of ${record}`)
  return found
}

const allGood = {
  'Accepted domain': 'OK',
  MX: 'OK',
  Address: 'OK',
  Certificate: 'OK',
  SPF: 'OK',
  'MTA-STS policy': 'OK',
  'MTA-STS': 'OK',
  'TLS-RPT': 'OK',
  DNSSEC: 'OK',
  TLSA: 'OK',
}

test('where all is as it should be, each record is OK and the status is 0', async () => {
  const found = await look()
  assert.deepEqual(resultsOf(found), allGood)
  assert.equal(found.status, 0)
})

test('where nothing is published, each record is missing, and what to publish is printed', async () => {
  world.around.names = { arpa: {} }
  const found = await look()
  assert.equal(found.status, 3)
  assert.deepEqual(resultsOf(found), {
    ...allGood,
    MX: 'MISSING',
    Address: 'MISSING',
    SPF: 'MISSING',
    'MTA-STS policy': 'MISSING',
    'MTA-STS': 'MISSING',
    'TLS-RPT': 'MISSING',
    DNSSEC: 'WARN',
    TLSA: 'WARN',
  })
  const id = idOf('testing')
  assert.deepEqual(found.json.records, [
    { name: `${domain}.`, type: 'MX', value: `10 ${host}.` },
    { name: `${domain}.`, type: 'TXT', value: '"v=spf1 include:amazonses.com -all"' },
    { name: `_mta-sts.${domain}.`, type: 'TXT', value: `"v=STSv1; id=${id};"` },
    { name: `_smtp._tls.${domain}.`, type: 'TXT', value: `"v=TLSRPTv1; rua=mailto:tls-reports@${domain}"` },
    ...[current, rsa, next].map(({ tlsa }) => ({ name: `_25._tcp.${host}.`, type: 'TLSA', value: tlsa })),
  ])
  assert.equal(found.json.policy.id, id)
  assert.deepEqual(named(found, 'MTA-STS policy').wanted, [
    'version: STSv1',
    'mode: testing',
    `mx: ${host}`,
    `max_age: ${week}`,
  ])
})

/** What is different from all being well, and what is then said of one record. */
interface Case {
  of: string
  names?: Names
  change?: (around: DnsWorld['around']) => void
  args?: string[]
  result: RecordFinding['result']
  says?: RegExp
  wanted?: string[]
  status?: number
}

const tlsa =
  (recordOf: (each: OwnCertificate) => string | null) =>
  ({ names }: DnsWorld['around']) => {
    names[`_25._tcp.${host}`] = { TLSA: [current, rsa, next].map(recordOf).filter((text) => text !== null) }
  }

const cases: Record<string, Record<string, Case>> = {
  'the MX record': {
    'of somebody else': {
      of: 'MX',
      names: { [domain]: { MX: [[5, 'mx.other.example']] } },
      result: 'DIFFERENT',
      says: /^Mail goes past this gateway, by mx\.other\.example: there no connector is asked\. mx\.ours\.example is not among them\.$/,
      wanted: ['10 mx.ours.example.'],
    },
    'of somebody else beside ours': {
      of: 'MX',
      names: {
        [domain]: {
          MX: [
            [10, host],
            [20, 'mx.other.example'],
          ],
        },
      },
      result: 'DIFFERENT',
      says: /^Mail goes also past this gateway, by mx\.other\.example/,
    },
    'that says no mail is taken': {
      of: 'MX',
      names: { [domain]: { MX: [[0, '.']] } },
      result: 'DIFFERENT',
      says: /null MX \(RFC 7505\)/,
    },
    'that lacks one of several hosts': {
      of: 'MX',
      args: ['--host', host, '--host', 'mx2.ours.example'],
      result: 'DIFFERENT',
      says: /^mx2\.ours\.example is not among them/,
      wanted: ['10 mx.ours.example.', '10 mx2.ours.example.'],
    },
    'by another letter case': {
      of: 'MX',
      names: { [domain]: { MX: [[10, 'MX.Ours.Example']] } },
      result: 'OK',
      status: 3,
    },
    'of an alias': {
      of: 'MX',
      names: { [domain]: { CNAME: 'real.example' }, 'real.example': { MX: [[10, host]] } },
      result: 'OK',
      says: /is an alias \(CNAME\); the records are those of real\.example/,
      status: 3,
    },
    'that cannot be asked for': {
      of: 'MX',
      names: { [domain]: { fails: 'SERVFAIL' } },
      result: 'UNKNOWN',
      says: /ESERVFAIL/,
      status: 1,
    },
    'that DNSSEC refutes': {
      of: 'MX',
      names: { [domain]: { fails: 'BOGUS' } },
      result: 'DIFFERENT',
      says: /DNSSEC validation fails/,
    },
  },
  'the addresses of the host': {
    'by an alias': {
      of: 'Address',
      names: { [host]: { CNAME: 'lb.example' }, 'lb.example': { A: ['8.8.4.4'] } },
      result: 'WARN',
      says: /is an alias \(CNAME\) of lb\.example.*RFC 2181 §10\.3/,
      status: 0,
    },
    'that are private': {
      of: 'Address',
      names: { [host]: { A: ['10.0.0.7'] } },
      result: 'WARN',
      says: /10\.0\.0\.7 cannot be reached from the internet/,
      status: 0,
    },
    'that are missing': { of: 'Address', names: { [host]: {} }, result: 'MISSING', says: /MxAddresses/ },
  },
  'the certificate': {
    'with the name of another host': {
      of: 'Certificate',
      args: ['--host', 'mx2.ours.example'],
      result: 'DIFFERENT',
      says: /^The EC certificate that is served now names mx\.ours\.example, and not mx2\.ours\.example: by MTA-STS nobody/,
    },
    'that is not known': {
      of: 'Certificate',
      change: (around) => {
        around.certificates = null
      },
      args: ['--host', host],
      result: 'UNKNOWN',
      says: /has not published its certificates yet/,
      status: 1,
    },
  },
  SPF: {
    'that lacks Amazon SES': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 ip4:192.0.2.1 ~all'] } },
      result: 'WARN',
      says: /^It does not permit Amazon SES \(the result is softfail\)\. That harms only/,
      status: 0,
      wanted: ['"v=spf1 ip4:192.0.2.1 include:amazonses.com ~all"'],
    },
    'that includes it by way of another': {
      of: 'SPF',
      names: {
        [domain]: { MX: [[10, host]], TXT: ['v=spf1 redirect=spf.example'] },
        'spf.example': { TXT: ['v=spf1 include:amazonses.com -all'] },
      },
      result: 'OK',
      status: 0,
    },
    'in two records': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 -all', 'v=spf1 include:amazonses.com -all'] } },
      result: 'DIFFERENT',
      says: /There are 2 SPF records.*RFC 7208 §4\.5/,
    },
    'that nobody can use': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 include:nothing.example -all'] } },
      result: 'DIFFERENT',
      says: /^Receivers cannot use it: .*nothing\.example/,
    },
    'that refers to itself without end': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: [`v=spf1 include:${domain} -all`] } },
      result: 'DIFFERENT',
      says: /Receivers cannot use it: .*Too many DNS requests/,
    },
    'that permits everybody': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 +all'] } },
      result: 'WARN',
      says: /permits everybody/,
      status: 0,
    },
    'that lacks the address mail leaves from': {
      of: 'SPF',
      args: ['--egress', '198.51.100.7', '--egress', '2001:db8::7'],
      result: 'DIFFERENT',
      says: /It does not permit 198\.51\.100\.7 \(the result is fail\)\. It does not permit 2001:db8::7/,
      wanted: ['"v=spf1 include:amazonses.com ip4:198.51.100.7 ip6:2001:db8::7 -all"'],
    },
    'that has one of two ways': {
      of: 'SPF',
      args: ['--egress', 'ses', '--egress', '198.51.100.7'],
      result: 'DIFFERENT',
      says: /^It does not permit 198\.51\.100\.7 \(the result is fail\)\.$/,
    },
    'that has it': {
      of: 'SPF',
      names: {
        [domain]: { MX: [[10, host]], TXT: ['v=spf1 a:out.ours.example -all'] },
        'out.ours.example': { A: ['198.51.100.7'] },
      },
      args: ['--egress', '198.51.100.7'],
      result: 'OK',
      status: 0,
    },
    'when the addresses of Amazon SES cannot be found out': {
      of: 'SPF',
      names: { 'amazonses.com': { fails: 'SERVFAIL' } },
      result: 'UNKNOWN',
      says: /cannot be found out/,
      status: 1,
    },
  },
  'the policy': {
    'in another mode': {
      of: 'MTA-STS policy',
      args: ['--mode', 'testing'],
      result: 'DIFFERENT',
      says: /^Its mode is enforce; it should be testing\.$/,
    },
    'that is taken back': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mode: 'none', mx: [] })
      },
      result: 'DIFFERENT',
      says: /Its mode is none; it should be testing\. As it is it demands nothing/,
    },
    'in testing': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mode: 'testing', mx: [host] })
      },
      result: 'OK',
      says: /publish --mode enforce/,
      status: 3,
    },
    'that lists other hosts': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mx: ['mx.other.example'] })
      },
      result: 'DIFFERENT',
      says: /^It does not list mx\.ours\.example: senders who honour it bring no mail there\. It also lists mx\.other\.example/,
    },
    'that lists ours by a pattern': {
      of: 'MTA-STS policy',
      names: { [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${idOf('enforce', ['*.ours.example'])}`] } },
      change: ({ policy }) => {
        policy.text = policyText({ mx: ['*.ours.example'] })
      },
      result: 'OK',
      status: 0,
    },
    'that the MX records go beyond': {
      of: 'MTA-STS policy',
      names: {
        [domain]: {
          MX: [
            [10, host],
            [20, 'mx.other.example'],
          ],
          TXT: ['v=spf1 include:amazonses.com -all'],
        },
      },
      result: 'WARN',
      says: /The MX records name mx\.other\.example, which it does not list/,
    },
    'of another max_age': {
      of: 'MTA-STS policy',
      args: ['--max-age', '30'],
      result: 'DIFFERENT',
      says: /^Its max_age is 604800 seconds; it should be 2592000\.$/,
      wanted: ['version: STSv1', 'mode: enforce', `mx: ${host}`, 'max_age: 2592000'],
    },
    'that is kept for minutes only': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mx: [host], maxAge: 300 })
      },
      result: 'WARN',
      says: /Its max_age is 300 seconds: whoever keeps senders/,
    },
    'that is not there': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.status = 404
      },
      result: 'MISSING',
      says: /The policy host answered 404/,
    },
    'of the wrong content type': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.type = 'text/html'
      },
      result: 'MISSING',
      says: /text\/html/,
    },
    'that is none': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = 'version: STSv2\n'
      },
      result: 'DIFFERENT',
      says: /Its version cannot be "STSv2"/,
    },
    'at a host whose address nobody tells': {
      of: 'MTA-STS policy',
      names: { [`mta-sts.${domain}`]: { fails: 'SERVFAIL' } },
      result: 'UNKNOWN',
      says: /DNS gives no answer \(ESERVFAIL\)/,
      status: 1,
    },
    'at a host without an address': {
      of: 'MTA-STS policy',
      names: { [`mta-sts.${domain}`]: {} },
      result: 'MISSING',
      says: /has no address\..*Make mta-sts\.ours\.example an alias \(CNAME\)/,
    },
  },
  'the announcement of the policy': {
    'with the id of another': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${idOf('testing')}`] } },
      result: 'DIFFERENT',
      says: /is not that of the policy that is served/,
      wanted: [`"v=STSv1; id=${idOf('enforce')};"`],
    },
    'with an id that somebody chose': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: ['v=STSv1; id=20260101'] } },
      result: 'WARN',
      says: /The id 20260101 was chosen by somebody/,
      status: 0,
    },
    twice: {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: ['v=STSv1; id=a', 'v=STSv1; id=b'] } },
      result: 'DIFFERENT',
      says: /There are several, which counts as none/,
    },
    'without an id': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: ['v=STSv1;'] } },
      result: 'DIFFERENT',
      says: /not well-formed/,
    },
    'when the policy has to be changed': {
      of: 'MTA-STS',
      args: ['--mode', 'testing'],
      result: 'DIFFERENT',
      says: /The policy has to be changed; when it is, the id has to become/,
      wanted: [`"v=STSv1; id=${idOf('testing')};"`],
    },
  },
  'where reports go': {
    'to another address': {
      of: 'TLS-RPT',
      args: ['--report-address', 'reports@ours.example'],
      result: 'DIFFERENT',
      says: /^Reports go to mailto:tls@ours\.example, and not to reports@ours\.example\.$/,
      wanted: ['"v=TLSRPTv1; rua=mailto:reports@ours.example"'],
    },
    'to ours among others': {
      of: 'TLS-RPT',
      names: {
        [`_smtp._tls.${domain}`]: {
          TXT: ['v=TLSRPTv1; rua=https://r.example/x,mailto:Reports@ours.example'],
        },
      },
      args: ['--report-address', 'reports@ours.example'],
      result: 'OK',
      status: 0,
    },
    'to nowhere': {
      of: 'TLS-RPT',
      names: { [`_smtp._tls.${domain}`]: { TXT: ['v=TLSRPTv1; rua=ftp://x.example'] } },
      result: 'DIFFERENT',
      says: /names no place/,
    },
    'in two records': {
      of: 'TLS-RPT',
      names: {
        [`_smtp._tls.${domain}`]: {
          TXT: ['v=TLSRPTv1; rua=mailto:a@b.example', 'v=TLSRPTv1; rua=mailto:c@b.example'],
        },
      },
      result: 'DIFFERENT',
      says: /several/,
    },
  },
  'DNSSEC and TLSA records': {
    'where the resolver vouches for nothing': {
      of: 'DNSSEC',
      change: (around) => {
        around.signed = []
      },
      result: 'WARN',
      says: /The resolver vouches for no answer.*--dns-server/,
      status: 0,
    },
    'where the zone is not signed': {
      of: 'DNSSEC',
      change: (around) => {
        around.signed = ['arpa']
      },
      result: 'WARN',
      says: /^Not signed, as far as the resolver can tell: ours\.example, mx\.ours\.example\./,
      status: 0,
    },
    'without effect, in a zone that is not signed': {
      of: 'TLSA',
      change: (around) => {
        around.signed = ['arpa']
      },
      result: 'WARN',
      says: /^Nobody uses it: the zone is not known to be signed\.$/,
      status: 0,
    },
    'of all certificates that are served, in another way': {
      of: 'TLSA',
      change: tlsa(({ published }) => `3 0 1 ${published.fingerprint256}`),
      result: 'OK',
      says: /^$/,
      status: 0,
    },
    'without the RSA certificate': {
      of: 'TLSA',
      change: tlsa((each) => (each === rsa ? null : each.tlsa)),
      result: 'DIFFERENT',
      says: /^No record names the RSA certificate mx\.ours\.example that is served now: senders who use DANE bring no mail\.$/,
    },
    'without the next certificate': {
      of: 'TLSA',
      change: tlsa((each) => (each === next ? null : each.tlsa)),
      result: 'DIFFERENT',
      says: /^No record names the EC certificate mx\.ours\.example that will be served from 2026-12-20: publish it some days before\.$/,
    },
    'of a certificate that is served no more': {
      of: 'TLSA',
      change: (around) => {
        around.certificates = [...(around.certificates ?? []), past.published]
        around.names[`_25._tcp.${host}`]?.TLSA?.push(past.tlsa)
      },
      result: 'OK',
      says: /served no more, and may go: 3 1 1 [0-9a-f]{64}\.$/,
      status: 0,
    },
    'of a certificate of nobody knows whom': {
      of: 'TLSA',
      change: ({ names }) => names[`_25._tcp.${host}`]?.TLSA?.push(`3 1 1 ${'a'.repeat(64)}`, '1 2 3 00'),
      result: 'OK',
      says: /fits no certificate of this gateway, and may go: 3 1 1 a{64}, 1 2 3 00\.$/,
      status: 0,
    },
    'where the addresses of the host are not signed': {
      of: 'TLSA',
      change: (around) => {
        around.signed = [domain, `_25._tcp.${host}`]
        around.names[`_25._tcp.${host}`] = { TLSA: [past.tlsa] }
      },
      result: 'WARN',
      says: /^Nobody uses it.*Should it be signed: No record names the EC certificate/,
      status: 0,
    },
    'missing in a signed zone': { of: 'TLSA', names: { [`_25._tcp.${host}`]: {} }, result: 'MISSING' },
    'that DNSSEC refutes': {
      of: 'TLSA',
      names: { [`_25._tcp.${host}`]: { fails: 'BOGUS' } },
      result: 'DIFFERENT',
      says: /DNSSEC validation fails/,
    },
  },
}

for (const [about, some] of Object.entries(cases))
  describe(about, () => {
    for (const [name, { of, names, change, args, result, says, wanted, status }] of Object.entries(some))
      test(`${name}: ${result}`, async () => {
        Object.assign(world.around.names, names)
        change?.(world.around)
        const found = await look(...(args ?? []))
        const check = named(found, of)
        assert.deepEqual([check.result, check.says], [result, check.says])
        if (says) assert.match(check.says.join(' '), says)
        if (wanted) assert.deepEqual(check.wanted, wanted)
        assert.equal(found.status, status ?? 3)
      })
  })

describe('for people', () => {
  test('the records come as a zone file has them, then what is there, then what should be', async () => {
    Object.assign(world.around.names, { [domain]: { MX: [[10, 'mx.other.example']], TXT: [] } })
    const { out, status } = await world.dns(domain, '--report-address', 'tls@ours.example')
    assert.equal(status, 3)
    const id = idOf('enforce')
    assert.equal(
      out,
      `To publish for ours.example:

  ours.example.              IN MX    10 mx.ours.example.
  ours.example.              IN TXT   "v=spf1 include:amazonses.com -all"
  _mta-sts.ours.example.     IN TXT   "v=STSv1; id=${id};"
  _smtp._tls.ours.example.   IN TXT   "v=TLSRPTv1; rua=mailto:tls@ours.example"
  _25._tcp.mx.ours.example.  IN TLSA  ${current.tlsa}
  _25._tcp.mx.ours.example.  IN TLSA  ${rsa.tlsa}
  _25._tcp.mx.ours.example.  IN TLSA  ${next.tlsa}

  https://mta-sts.ours.example/.well-known/mta-sts.txt
    version: STSv1
    mode: enforce
    mx: mx.ours.example
    max_age: 604800

What is there:

  OK         Accepted domain of ours.example
  DIFFERENT  MX of ours.example
             is      10 mx.other.example.
             should  10 mx.ours.example.
             Mail goes past this gateway, by mx.other.example: there no connector is asked.
             mx.ours.example is not among them.
  OK         Address of mx.ours.example
  OK         Certificate of mx.ours.example
             The certificates of the gateway name it.
  MISSING    SPF of ours.example
             should  "v=spf1 include:amazonses.com -all"
             Receivers cannot tell your mail from what others send in your name.
  WARN       MTA-STS policy of https://mta-sts.ours.example/.well-known/mta-sts.txt
             is      version: STSv1
                     mode: enforce
                     mx: mx.ours.example
                     max_age: 604800
             The MX records name mx.other.example, which it does not list.
  OK         MTA-STS of _mta-sts.ours.example
  OK         TLS-RPT of _smtp._tls.ours.example
  OK         DNSSEC of ours.example
             The answers on the domain and its hosts are signed, and the resolver validated them.
  OK         TLSA of _25._tcp.mx.ours.example
`,
    )
  })

  test('what others wrote moves nothing at the terminal', async () => {
    const text = 'v=spf1 \u001b[2J\r\nOK all'
    Object.assign(world.around.names, { [domain]: { MX: [[10, 'a\u001b[31m.example']], TXT: [text] } })
    const { out } = await world.dns(domain)
    assert.doesNotMatch(out.replaceAll('\n', ''), /\p{Cc}/u)
    assert.match(out, /v=spf1/)
  })
})

describe('called otherwise', () => {
  for (const [args, says] of [
    [['not a domain'], /"not a domain" is not a domain/],
    [[domain, '--mode', 'none'], /--mode none: the modes are testing and enforce/],
    [[domain, '--max-age', '0'], /--max-age 0: not a number of days from 1 to 365/],
    [[domain, '--host', 'a b'], /--host a b: not the name of a host/],
    [[domain, '--egress', 'x'], /--egress x: neither an IP address nor ses/],
    [[domain, '--report-address', 'x'], /--report-address x: not a mail address/],
    [
      [domain, '--dns-server', 'dns.example'],
      /--dns-server: "dns\.example" is not the address of a name server/,
    ],
    [[], /something is missing/],
  ] as const)
    test(`${args.slice(-2).join(' ') || 'without a domain'}: it says what is wrong`, async () => {
      const { status, err } = await world.dns(...args)
      assert.equal(status, 2)
      assert.match(err, says)
    })

  test('for a domain that the gateway does not accept it warns', async () => {
    world.around.accepted = []
    const found = await look()
    assert.equal(named(found, 'Accepted domain').result, 'WARN')
    assert.equal(found.status, 0)
  })

  test('a gateway that has published nothing is asked for the name of its host', async () => {
    world.around.certificates = null
    const { status, err, out } = await world.dns(domain)
    assert.deepEqual([status, out], [1, ''])
    assert.match(err, /has not published its certificates yet[\s\S]*--host HOST/)
  })
})
