/** Tests `dns` against a DNS server, a policy host and an API in this process. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { RecordFinding } from '../../../shared/domain-records/findings/record-finding.ts'
import { formatPolicy } from '../../../shared/net/mta-sts/published.ts'
import {
  createGatewayCertificate,
  type DnsSetup,
  type GatewayCertificate,
  type RecordsByName,
  startDnsSetup,
} from '../../support/cli/dns-setup.ts'
import { policyText } from '../../support/policy-host.ts'

const domain = 'ours.example'
const host = 'mx.ours.example'
const week = 604_800

let setup: DnsSetup
let current: GatewayCertificate
let rsa: GatewayCertificate
let next: GatewayCertificate
let past: GatewayCertificate

const idOf = (mode: 'testing' | 'enforce' | 'none', mxHosts = [host], maxAgeSeconds = week): string =>
  formatPolicy({ mxHosts, mode, maxAgeSeconds }).id

before(async () => {
  setup = await startDnsSetup(domain)
  current = await createGatewayCertificate(setup.pki, { names: [host] })
  rsa = await createGatewayCertificate(setup.pki, { names: [host], rsa: true })
  next = await createGatewayCertificate(setup.pki, { names: [host] }, 'Next')
  past = await createGatewayCertificate(setup.pki, { names: [host] }, 'Deprecated')
})
after(() => setup.stop())

/** The names when everything is published correctly. */
const good = (): RecordsByName => ({
  arpa: {},
  [domain]: {
    MX: [[10, host]],
    TXT: ['something=else', 'v=spf1 include:amazonses.com -all'],
    CAA: ['0 issue amazon.com'],
  },
  [host]: { A: ['8.8.8.8'], AAAA: ['2001:4860:4860::8888'] },
  [`_dmarc.${domain}`]: { TXT: ['v=DMARC1; p=reject; rua=mailto:dmarc@ours.example'] },
  [`_domainkey.${domain}`]: {},
  'amazonses.com': { TXT: ['v=spf1 ip4:199.255.192.0/22 -all'] },
  [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${idOf('enforce')}`] },
  [`mta-sts.${domain}`]: { A: [setup.policyAddress] },
  [`_smtp._tls.${domain}`]: { TXT: [`v=TLSRPTv1; rua=mailto:tls@${domain}`] },
  [`_25._tcp.${host}`]: { TLSA: [current.tlsa, rsa.tlsa, next.tlsa] },
})

beforeEach(() => {
  setup.state = {
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
  const { status, out, err } = await setup.dns(domain, '--json', ...args)
  assert.equal(err, '')
  const json = JSON.parse(out)
  return { status, checks: json.checks, json }
}

const resultsOf = ({ checks }: Found): Record<string, string> =>
  Object.fromEntries(checks.map(({ record, result }) => [record, result]))

const findingFor = ({ checks }: Found, record: string): RecordFinding => {
  const finding = checks.find((check) => check.record === record)
  assert.ok(finding, `there is a check of ${record}`)
  return finding
}

const allGood = {
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
}

test('`dns` reports every record as OK and exits with 0 when all records are published correctly', async () => {
  const report = await look()
  assert.deepEqual(resultsOf(report), allGood)
  assert.equal(report.status, 0)
})

test('`dns` reports missing records and prints the records to publish when nothing is published', async () => {
  setup.state.names = { arpa: {} }
  const report = await look()
  assert.equal(report.status, 3)
  assert.deepEqual(resultsOf(report), {
    ...allGood,
    MX: 'MISSING',
    Address: 'MISSING',
    IPv6: 'ADVICE',
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
  const id = idOf('testing')
  assert.deepEqual(report.json.records, [
    { name: `${domain}.`, type: 'MX', value: `10 ${host}.` },
    { name: `${domain}.`, type: 'TXT', value: '"v=spf1 include:amazonses.com -all"' },
    { name: `_mta-sts.${domain}.`, type: 'TXT', value: `"v=STSv1; id=${id};"` },
    { name: `_smtp._tls.${domain}.`, type: 'TXT', value: `"v=TLSRPTv1; rua=mailto:tls-reports@${domain}"` },
    ...[current, rsa, next].map(({ tlsa }) => ({ name: `_25._tcp.${host}.`, type: 'TLSA', value: tlsa })),
  ])
  assert.equal(report.json.policy.id, id)
  assert.deepEqual(findingFor(report, 'MTA-STS policy').wanted, [
    'version: STSv1',
    'mode: testing',
    `mx: ${host}`,
    `max_age: ${week}`,
  ])
})

test('`dns` exits with 0 without CAA, IPv6 and DNSSEC, and with a resolver that does not validate', async () => {
  const { CAA, ...records } = setup.state.names[domain] ?? {}
  Object.assign(setup.state, { signed: [] })
  Object.assign(setup.state.names, { [domain]: records, [host]: { A: ['8.8.8.8'] } })
  const report = await look()
  const { IPv6, DNSSEC, CAA: caaResult } = resultsOf(report)
  assert.deepEqual([CAA?.length, caaResult, IPv6, DNSSEC], [1, 'ADVICE', 'ADVICE', 'UNKNOWN'])
  assert.equal(report.status, 0)
})

test('`dns` exits with 3 when the CAA records do not permit the CA of the policy host', async () => {
  const target = 'd111.execute-api.eu-west-1.amazonaws.com'
  Object.assign(setup.state.names, {
    [`mta-sts.${domain}`]: { CNAME: target },
    [target]: { A: [setup.policyAddress] },
    [host]: { A: ['8.8.8.8'], CAA: ['0 issue amazon.com'] },
    [domain]: { ...setup.state.names[domain], CAA: ['0 issue letsencrypt.org'] },
  })
  const report = await look()
  const caa = report.checks.filter(({ record }) => record === 'CAA')
  assert.deepEqual(
    caa.map(({ name, result, wanted }) => [name, result, wanted]),
    [
      [host, 'OK', []],
      [domain, 'DIFFERENT', ['0 issue "letsencrypt.org"', '0 issue "amazon.com"']],
    ],
  )
  assert.equal(report.status, 3)
})

test('`dns` checks each key of --dkim-selector', async () => {
  Object.assign(setup.state.names, { [`old._domainkey.${domain}`]: { TXT: ['v=DKIM1; p='] } })
  const report = await look('--dkim-selector', 'OLD', '--dkim-selector', '20260101')
  assert.deepEqual(
    report.checks.filter(({ record }) => record === 'DKIM').map(({ name, result }) => `${name} ${result}`),
    [`old._domainkey.${domain} DIFFERENT`, `20260101._domainkey.${domain} MISSING`],
  )
  assert.equal(report.status, 3)
})

/** A deviation from the correct setup, and the expected finding about one record. */
interface Case {
  of: string
  names?: RecordsByName
  change?: (around: DnsSetup['state']) => void
  args?: string[]
  result: RecordFinding['result']
  says?: RegExp
  wanted?: string[]
  status?: number
}

const tlsa =
  (recordOf: (certificate: GatewayCertificate) => string | null) =>
  ({ names }: DnsSetup['state']) => {
    names[`_25._tcp.${host}`] = { TLSA: [current, rsa, next].map(recordOf).filter((text) => text !== null) }
  }

const cases: Record<string, Record<string, Case>> = {
  'the finding of `dns` about the MX record': {
    'that names only another host': {
      of: 'MX',
      names: { [domain]: { MX: [[5, 'mx.other.example']] } },
      result: 'DIFFERENT',
      says: /^Mail bypasses this gateway through mx\.other\.example: no connector applies there\. The MX records do not include mx\.ours\.example\.$/,
      wanted: ['10 mx.ours.example.'],
    },
    'that also names another host': {
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
      says: /^Mail can bypass this gateway through mx\.other\.example/,
    },
    'that is a null MX': {
      of: 'MX',
      names: { [domain]: { MX: [[0, '.']] } },
      result: 'DIFFERENT',
      says: /null MX \(RFC 7505\)/,
    },
    'that lacks one of two hosts of --host': {
      of: 'MX',
      args: ['--host', host, '--host', 'mx2.ours.example'],
      result: 'DIFFERENT',
      says: /^The MX records do not include mx2\.ours\.example/,
      wanted: ['10 mx.ours.example.', '10 mx2.ours.example.'],
    },
    'that differs only in letter case': {
      of: 'MX',
      names: { [domain]: { MX: [[10, 'MX.Ours.Example']] } },
      result: 'OK',
      status: 3,
    },
    'of a domain that is an alias': {
      of: 'MX',
      names: { [domain]: { CNAME: 'real.example' }, 'real.example': { MX: [[10, host]] } },
      result: 'OK',
      says: /is an alias \(CNAME\); the records belong to real\.example/,
      status: 3,
    },
    'when the query fails': {
      of: 'MX',
      names: { [domain]: { fails: 'SERVFAIL' } },
      result: 'UNKNOWN',
      says: /ESERVFAIL/,
      status: 1,
    },
    'that fails DNSSEC validation': {
      of: 'MX',
      names: { [domain]: { fails: 'BOGUS' } },
      result: 'DIFFERENT',
      says: /DNSSEC validation fails/,
    },
  },
  'the finding of `dns` about the addresses of the MX host': {
    'when the host is an alias': {
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
  'the finding of `dns` about the certificate of the gateway': {
    'that is for another host': {
      of: 'Certificate',
      args: ['--host', 'mx2.ours.example'],
      result: 'DIFFERENT',
      says: /^The EC certificate that is served now is for mx\.ours\.example, not for mx2\.ours\.example: senders that use MTA-STS/,
    },
    'that the gateway has not published': {
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
  'the finding of `dns` about the SPF record': {
    'that does not permit Amazon SES': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 ip4:192.0.2.1 ~all'] } },
      result: 'WARN',
      says: /^The record does not permit Amazon SES \(the result is softfail\)\. Receivers check the envelope's domain/,
      status: 0,
      wanted: ['"v=spf1 ip4:192.0.2.1 include:amazonses.com ~all"'],
    },
    'that permits Amazon SES through a redirect': {
      of: 'SPF',
      names: {
        [domain]: { MX: [[10, host]], TXT: ['v=spf1 redirect=spf.example'] },
        'spf.example': { TXT: ['v=spf1 include:amazonses.com -all'] },
      },
      result: 'OK',
      status: 0,
    },
    'that exists twice': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 -all', 'v=spf1 include:amazonses.com -all'] } },
      result: 'DIFFERENT',
      says: /There are 2 SPF records.*RFC 7208 §4\.5/,
    },
    'that includes a domain without SPF': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 include:nothing.example -all'] } },
      result: 'DIFFERENT',
      says: /^Receivers cannot evaluate the record: .*nothing\.example/,
    },
    'that includes itself': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: [`v=spf1 include:${domain} -all`] } },
      result: 'DIFFERENT',
      says: /Receivers cannot evaluate the record: .*Too many DNS requests/,
    },
    'that permits any host': {
      of: 'SPF',
      names: { [domain]: { MX: [[10, host]], TXT: ['v=spf1 +all'] } },
      result: 'WARN',
      says: /permits any host/,
      status: 0,
    },
    'that permits no address of --egress': {
      of: 'SPF',
      args: ['--egress', '198.51.100.7', '--egress', '2001:db8::7'],
      result: 'DIFFERENT',
      says: /The record does not permit 198\.51\.100\.7 \(the result is fail\)\. The record does not permit 2001:db8::7/,
      wanted: ['"v=spf1 include:amazonses.com ip4:198.51.100.7 ip6:2001:db8::7 -all"'],
    },
    'that permits SES, but not the address of --egress': {
      of: 'SPF',
      args: ['--egress', 'ses', '--egress', '198.51.100.7'],
      result: 'DIFFERENT',
      says: /^The record does not permit 198\.51\.100\.7 \(the result is fail\)\.$/,
    },
    'that permits the address of --egress': {
      of: 'SPF',
      names: {
        [domain]: { MX: [[10, host]], TXT: ['v=spf1 a:out.ours.example -all'] },
        'out.ours.example': { A: ['198.51.100.7'] },
      },
      args: ['--egress', '198.51.100.7'],
      result: 'OK',
      status: 0,
    },
    'when the SPF record of Amazon SES cannot be queried': {
      of: 'SPF',
      names: { 'amazonses.com': { fails: 'SERVFAIL' } },
      result: 'UNKNOWN',
      says: /^Cannot check whether the record permits Amazon SES/,
      status: 1,
    },
  },
  'the finding of `dns` about the MTA-STS policy': {
    'with another mode than --mode': {
      of: 'MTA-STS policy',
      args: ['--mode', 'testing'],
      result: 'DIFFERENT',
      says: /^The mode is enforce; it should be testing\.$/,
    },
    'with mode none': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mode: 'none', mx: [] })
      },
      result: 'DIFFERENT',
      says: /The mode is none; it should be testing\. This policy requires nothing/,
    },
    'with mode testing': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mode: 'testing', mx: [host] })
      },
      result: 'OK',
      says: /publish --mode enforce/,
      status: 3,
    },
    'that lists only another host': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mx: ['mx.other.example'] })
      },
      result: 'DIFFERENT',
      says: /^The policy does not list mx\.ours\.example: senders that use MTA-STS deliver no mail there\. The policy also lists mx\.other\.example/,
    },
    'that lists the host by a pattern': {
      of: 'MTA-STS policy',
      names: { [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${idOf('enforce', ['*.ours.example'])}`] } },
      change: ({ policy }) => {
        policy.text = policyText({ mx: ['*.ours.example'] })
      },
      result: 'OK',
      status: 0,
    },
    'that does not list every MX host': {
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
      says: /The MX records name mx\.other\.example, which the policy does not list/,
    },
    'with another max_age than --max-age': {
      of: 'MTA-STS policy',
      args: ['--max-age', '30'],
      result: 'DIFFERENT',
      says: /^The max_age is 604800 seconds; it should be 2592000\.$/,
      wanted: ['version: STSv1', 'mode: enforce', `mx: ${host}`, 'max_age: 2592000'],
    },
    'with a max_age of minutes': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = policyText({ mx: [host], maxAge: 300 })
      },
      result: 'WARN',
      says: /The max_age is 300 seconds: an attacker who blocks/,
    },
    'that does not exist': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.status = 404
      },
      result: 'MISSING',
      says: /The policy host answered 404.*Without a policy in mode enforce, senders do not enforce TLS/,
    },
    'with the wrong content type': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.type = 'text/html'
      },
      result: 'MISSING',
      says: /text\/html/,
    },
    'that is invalid': {
      of: 'MTA-STS policy',
      change: ({ policy }) => {
        policy.text = 'version: STSv2\n'
      },
      result: 'DIFFERENT',
      says: /Its version cannot be "STSv2"/,
    },
    'when the query for the policy host fails': {
      of: 'MTA-STS policy',
      names: { [`mta-sts.${domain}`]: { fails: 'SERVFAIL' } },
      result: 'UNKNOWN',
      says: /The DNS query failed \(ESERVFAIL\)/,
      status: 1,
    },
    'when the policy host has no address': {
      of: 'MTA-STS policy',
      names: { [`mta-sts.${domain}`]: {} },
      result: 'MISSING',
      says: /has no address\..*Make mta-sts\.ours\.example an alias \(CNAME\)/,
    },
  },
  'the finding of `dns` about the MTA-STS record': {
    'with the id of another policy': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: [`v=STSv1; id=${idOf('testing')}`] } },
      result: 'DIFFERENT',
      says: /does not match the served policy/,
      wanted: [`"v=STSv1; id=${idOf('enforce')};"`],
    },
    'with an id that mailflow did not generate': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: ['v=STSv1; id=20260101'] } },
      result: 'WARN',
      says: /The id 20260101 was not generated by mailflow/,
      status: 0,
    },
    'that exists twice': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: ['v=STSv1; id=a', 'v=STSv1; id=b'] } },
      result: 'DIFFERENT',
      says: /There are several records/,
    },
    'without an id': {
      of: 'MTA-STS',
      names: { [`_mta-sts.${domain}`]: { TXT: ['v=STSv1;'] } },
      result: 'DIFFERENT',
      says: /The syntax of the record is wrong/,
    },
    'when --mode requires another policy and thus another id': {
      of: 'MTA-STS',
      args: ['--mode', 'testing'],
      result: 'DIFFERENT',
      says: /The policy must be changed; then the id must become/,
      wanted: [`"v=STSv1; id=${idOf('testing')};"`],
    },
  },
  'the finding of `dns` about the TLS-RPT record': {
    'with another address than --report-address': {
      of: 'TLS-RPT',
      args: ['--report-address', 'reports@ours.example'],
      result: 'DIFFERENT',
      says: /^Reports go to mailto:tls@ours\.example, not to reports@ours\.example\.$/,
      wanted: ['"v=TLSRPTv1; rua=mailto:reports@ours.example"'],
    },
    'with several addresses, one of them that of --report-address': {
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
    'without a valid destination': {
      of: 'TLS-RPT',
      names: { [`_smtp._tls.${domain}`]: { TXT: ['v=TLSRPTv1; rua=ftp://x.example'] } },
      result: 'DIFFERENT',
      says: /no valid report destination/,
    },
    'that exists twice': {
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
  'the finding of `dns` about': {
    'DNSSEC when the resolver does not validate': {
      of: 'DNSSEC',
      change: (around) => {
        around.signed = []
      },
      result: 'UNKNOWN',
      says: /The resolver does not validate DNSSEC.*--dns-server/,
      status: 0,
    },
    'DNSSEC when the zone is not signed': {
      of: 'DNSSEC',
      change: (around) => {
        around.signed = ['arpa']
      },
      result: 'WARN',
      says: /^Not signed, according to the resolver: ours\.example, mx\.ours\.example\./,
      status: 0,
    },
    'TLSA records in a zone that is not signed': {
      of: 'TLSA',
      change: (around) => {
        around.signed = ['arpa']
      },
      result: 'WARN',
      says: /^Senders ignore these records: the zone is not known to be signed\.$/,
      status: 0,
    },
    'TLSA records that match all served certificates by another selector': {
      of: 'TLSA',
      change: tlsa(({ published }) => `3 0 1 ${published.fingerprint256}`),
      result: 'OK',
      says: /^$/,
      status: 0,
    },
    'TLSA records that do not match the RSA certificate': {
      of: 'TLSA',
      change: tlsa((certificate) => (certificate === rsa ? null : certificate.tlsa)),
      result: 'DIFFERENT',
      says: /^No record matches the RSA certificate mx\.ours\.example, which is served now: senders that use DANE deliver no mail\.$/,
    },
    'TLSA records that do not match the next certificate': {
      of: 'TLSA',
      change: tlsa((certificate) => (certificate === next ? null : certificate.tlsa)),
      result: 'DIFFERENT',
      says: /^No record matches the EC certificate mx\.ours\.example, which will be served from 2026-12-20: publish its record some days earlier\.$/,
    },
    'TLSA records of which one matches a certificate that is no longer served': {
      of: 'TLSA',
      change: (around) => {
        around.certificates = [...(around.certificates ?? []), past.published]
        around.names[`_25._tcp.${host}`]?.TLSA?.push(past.tlsa)
      },
      result: 'OK',
      says: /^These records can be removed, because their certificate is no longer served: 3 1 1 [0-9a-f]{64}\.$/,
      status: 0,
    },
    'TLSA records of which two match no certificate of the gateway': {
      of: 'TLSA',
      change: ({ names }) => names[`_25._tcp.${host}`]?.TLSA?.push(`3 1 1 ${'a'.repeat(64)}`, '1 2 3 00'),
      result: 'OK',
      says: /^These records can be removed, because they match no certificate of this gateway: 3 1 1 a{64}, 1 2 3 00\.$/,
      status: 0,
    },
    'TLSA records of a host whose addresses are not signed': {
      of: 'TLSA',
      change: (around) => {
        around.signed = [domain, `_25._tcp.${host}`]
        around.names[`_25._tcp.${host}`] = { TLSA: [past.tlsa] }
      },
      result: 'WARN',
      says: /^Senders ignore these records.*If the zone is signed: No record matches the EC certificate/,
      status: 0,
    },
    'TLSA records that are missing in a signed zone': {
      of: 'TLSA',
      names: { [`_25._tcp.${host}`]: {} },
      result: 'MISSING',
    },
    'TLSA records that fail DNSSEC validation': {
      of: 'TLSA',
      names: { [`_25._tcp.${host}`]: { fails: 'BOGUS' } },
      result: 'DIFFERENT',
      says: /DNSSEC validation fails/,
    },
  },
}

for (const [title, rows] of Object.entries(cases))
  describe(title, () => {
    for (const [name, { of, names, change, args, result, says, wanted, status }] of Object.entries(rows))
      test(`${name}: ${result}`, async () => {
        Object.assign(setup.state.names, names)
        change?.(setup.state)
        const report = await look(...(args ?? []))
        const finding = findingFor(report, of)
        assert.deepEqual([finding.result, finding.says], [result, finding.says])
        if (says) assert.match(finding.says.join(' '), says)
        if (wanted) assert.deepEqual(finding.wanted, wanted)
        assert.equal(report.status, status ?? 3)
      })
  })

describe('the text output of `dns`', () => {
  test('shows the records in zone file syntax, then the findings', async () => {
    Object.assign(setup.state.names, { [domain]: { MX: [[10, 'mx.other.example']], TXT: [] } })
    const { out, status } = await setup.dns(domain, '--report-address', 'tls@ours.example')
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

Findings:

  OK         Accepted domain: ours.example
  DIFFERENT  MX: ours.example
             published  10 mx.other.example.
             expected   10 mx.ours.example.
             Mail bypasses this gateway through mx.other.example: no connector applies there.
             The MX records do not include mx.ours.example.
  OK         Address: mx.ours.example
  OK         IPv6: mx.ours.example
  OK         Certificate: mx.ours.example
             The certificates of the gateway are valid for this name.
  ADVICE     CAA: ours.example
             expected   0 issue "amazon.com"
             Any CA may issue certificates for mx.ours.example, mta-sts.ours.example. CAA records limit this
             to the CAs that you name.
             They also apply to all names below ours.example. So name each CA that you use there: with another
             CA, renewals fail.
             The gateway's certificate is from CN=Root of tests. The CA's documentation gives its name in CAA
             records; a private CA has none.
  MISSING    SPF: ours.example
             expected   "v=spf1 include:amazonses.com -all"
             Receivers cannot distinguish your mail from forged mail.
  OK         DKIM: _domainkey.ours.example
             The domain has DKIM keys. DNS cannot list them: check each with --dkim-selector NAME.
  OK         DMARC: _dmarc.ours.example
  WARN       MTA-STS policy: https://mta-sts.ours.example/.well-known/mta-sts.txt
             published  version: STSv1
                        mode: enforce
                        mx: mx.ours.example
                        max_age: 604800
             The MX records name mx.other.example, which the policy does not list.
  OK         MTA-STS: _mta-sts.ours.example
  OK         TLS-RPT: _smtp._tls.ours.example
  OK         DNSSEC: ours.example
             The resolver validated the signed answers for the domain and its hosts.
  OK         TLSA: _25._tcp.mx.ours.example
`,
    )
  })

  test('has one finding about CAA and one about IPv6 for three hosts of one zone', async () => {
    const hosts = ['mx1', 'mx2', 'mx3'].map((name) => `${name}.${domain}`)
    for (const name of hosts) setup.state.names[name] = { A: ['8.8.8.8'] }
    const { out } = await setup.dns(domain, ...hosts.flatMap((name) => ['--host', name]))
    assert.match(
      out,
      /^ {2}ADVICE {5}IPv6: mx1\.ours\.example, mx2\.ours\.example, mx3\.ours\.example\n {13}No IPv6 address/m,
    )
    assert.match(
      out,
      /^ {2}OK {9}CAA: ours\.example\n {13}amazon\.com may issue certificates for mx1\.ours\.example, mx2\.ours\.example, mx3\.ours\.example,\n {13}mta-sts\.ours\.example\.$/m,
    )
    assert.deepEqual([out.match(/ CAA: /g)?.length, out.match(/ IPv6: /g)?.length], [1, 1])
  })

  test('removes control characters from untrusted text', async () => {
    const text = 'v=spf1 \u001b[2J\r\nOK all'
    Object.assign(setup.state.names, { [domain]: { MX: [[10, 'a\u001b[31m.example']], TXT: [text] } })
    const { out } = await setup.dns(domain)
    assert.doesNotMatch(out.replaceAll('\n', ''), /\p{Cc}/u)
    assert.match(out, /v=spf1/)
  })
})

describe('`dns`', () => {
  for (const [args, says] of [
    [['not a domain'], /"not a domain" is not a domain name/],
    [[domain, '--mode', 'none'], /--mode none: not a mode; use testing or enforce/],
    [[domain, '--max-age', '0'], /--max-age 0: not a number of days from 1 to 365/],
    [[domain, '--host', 'a b'], /--host a b: not a host name/],
    [[domain, '--egress', 'x'], /--egress x: neither an IP address nor ses/],
    [[domain, '--dkim-selector', 'a b'], /--dkim-selector a b: not a selector/],
    [[domain, '--report-address', 'x'], /--report-address x: not an email address/],
    [
      [domain, '--dns-server', 'dns.example'],
      /--dns-server: "dns\.example" is not the address of a name server/,
    ],
    [[], /an argument is missing/],
  ] as const)
    test(`rejects ${args.length > 0 ? `"${args.slice(-2).join(' ')}"` : 'a missing domain'}`, async () => {
      const { status, err } = await setup.dns(...args)
      assert.equal(status, 2)
      assert.match(err, says)
    })

  test('warns about a domain that is not accepted', async () => {
    setup.state.accepted = []
    const report = await look()
    assert.equal(findingFor(report, 'Accepted domain').result, 'WARN')
    assert.equal(report.status, 0)
  })

  test('requires --host when the gateway has not published its certificates', async () => {
    setup.state.certificates = null
    const { status, err, out } = await setup.dns(domain)
    assert.deepEqual([status, out], [1, ''])
    assert.match(err, /has not published its certificates yet[\s\S]*--host HOST/)
  })
})
