/** Tests the findings of `dns` about CAA, IPv6 and DNSSEC, which mail does not need. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { readCaaPolicy } from '../../../shared/domain-records/findings/caa-policy.ts'
import { type RecordFinding, worstResult } from '../../../shared/domain-records/findings/record-finding.ts'
import { createGatewayCertificate, type GatewayCertificate } from '../../support/cli/dns-setup.ts'
import { findingsAbout } from '../../support/cli/domain-findings.ts'
import type { Zone } from '../../support/dns.ts'
import { createPki } from '../../support/pki.ts'

const domain = 'ours.example'
const host = `mx.${domain}`
const policyHost = `mta-sts.${domain}`
type Records = [number, string, string][]
const issue = (...names: string[]): Records => names.map((name) => [0, 'issue', name])

let letsEncrypt: GatewayCertificate
let announcedCertificate: GatewayCertificate
before(async () => {
  const issuer = await createPki('Sectigo R36, O=Sectigo Limited')
  announcedCertificate = await createGatewayCertificate(issuer, { names: [host] }, 'Next')
  letsEncrypt = await createGatewayCertificate(await createPki("R13, O=Let's Encrypt"), { names: [host] })
})

describe('the finding of `dns` about CAA records', () => {
  const alias = { [policyHost]: 'd111.execute-api.eu-west-1.amazonaws.com' }
  const aliasTarget = { 'd111.execute-api.eu-west-1.amazonaws.com': ['8.8.8.8'] }
  const aws: Zone = { a: aliasTarget, cname: alias }

  interface Row {
    zone: Zone
    result: RecordFinding['result']
    owner: string
    says: RegExp
    wanted?: string[]
  }
  const rows: Record<string, Row> = {
    'that permit both CAs at the domain': {
      zone: { ...aws, caa: { [domain]: issue('letsencrypt.org', 'amazon.com') } },
      result: 'OK',
      owner: domain,
      says: /^letsencrypt\.org, amazon\.com may issue certificates for mx\.ours\.example, mta-sts\.ours\.example\.$/,
    },
    'that permit Amazon by another of its names, in capitals': {
      zone: {
        ...aws,
        caa: { [domain]: issue('LetsEncrypt.org; validationmethods=dns-01', 'AmazonTrust.com') },
      },
      result: 'OK',
      owner: domain,
      says: /^letsencrypt\.org, amazontrust\.com may issue/,
    },
    'of the top-level domain': {
      zone: { ...aws, caa: { example: issue('letsencrypt.org', 'amazon.com') } },
      result: 'OK',
      owner: 'example',
      says: /may issue/,
    },
    'that do not permit the issuer of the gateway': {
      zone: { ...aws, caa: { [domain]: issue('amazon.com') } },
      result: 'DIFFERENT',
      owner: domain,
      says: /The records do not permit Let's Encrypt \(letsencrypt\.org\), the issuer of the certificate of mx\.ours\.example: its next renewal fails\.$/,
      wanted: ['0 issue "amazon.com"', '0 issue "letsencrypt.org"'],
    },
    'that do not permit Amazon, when the policy host is an alias of a host of AWS': {
      zone: { ...aws, caa: { [domain]: issue('letsencrypt.org') } },
      result: 'DIFFERENT',
      owner: domain,
      says: /The records do not permit Amazon \(amazon\.com\), the issuer of the certificate of mta-sts\.ours\.example/,
      wanted: ['0 issue "letsencrypt.org"', '0 issue "amazon.com"'],
    },
    'that do not permit Amazon, when the policy host may be your own': {
      zone: { a: { [policyHost]: ['8.8.8.8'] }, caa: { [domain]: issue('letsencrypt.org') } },
      result: 'WARN',
      owner: domain,
      says: /If AWS serves mta-sts\.ours\.example, the next renewal of its certificate fails\.$/,
    },
    'that permit no CA': {
      zone: { ...aws, caa: { [domain]: issue(';') } },
      result: 'DIFFERENT',
      owner: domain,
      says: /^No CA may issue certificates for mx\.ours\.example, mta-sts\.ours\.example\. The records do not permit Let's/,
    },
    'with a critical property that CAs do not know': {
      zone: { ...aws, caa: { [domain]: [...issue('letsencrypt.org', 'amazon.com'), [128, 'future', 'x']] } },
      result: 'DIFFERENT',
      owner: domain,
      says: /^The property "future" is critical, and CAs do not know it: no CA issues a certificate for mx/,
      wanted: ['0 issue "letsencrypt.org"', '0 issue "amazon.com"'],
    },
    'that only name an address for reports': {
      zone: { ...aws, caa: { [domain]: [[0, 'iodef', 'mailto:ca@ours.example']] } },
      result: 'OK',
      owner: domain,
      says: /^The records do not limit which CA issues/,
    },
    'that do not exist': {
      zone: aws,
      result: 'ADVICE',
      owner: domain,
      says: /^Any CA may issue certificates for mx\.ours\.example, mta-sts\.ours\.example\..*name each CA that you use there/,
      wanted: ['0 issue "letsencrypt.org"', '0 issue "amazon.com"'],
    },
    'when the query fails': {
      zone: { ...aws, fail: { [`CAA ${domain}`]: 'ESERVFAIL' } },
      result: 'UNKNOWN',
      owner: `${host}, ${policyHost}`,
      says: /ESERVFAIL.*A CA that gets no answer to this query does not issue\.$/,
    },
  }
  for (const [title, { zone, result, owner, says, wanted }] of Object.entries(rows))
    test(`${title}: ${result}`, async () => {
      const [finding, ...others] = await findingsAbout('CAA', { zone, certificates: [letsEncrypt.published] })
      assert.ok(finding)
      assert.deepEqual([finding.result, finding.name, others.length], [result, owner, 0])
      assert.match(finding.says.join(' '), says)
      if (wanted) assert.deepEqual(finding.wanted, wanted)
      assert.equal(worstResult([finding]), result === 'UNKNOWN' ? 'OK' : result)
    })

  test('is about the CA of the announced certificate, when there is one', async () => {
    const zone = { ...aws, caa: { [domain]: issue('sectigo.com', 'amazon.com') } }
    const certificates = [letsEncrypt.published, announcedCertificate.published]
    const [announced] = await findingsAbout('CAA', { zone, certificates })
    const [current] = await findingsAbout('CAA', { zone, certificates: certificates.slice(0, 1) })
    assert.deepEqual([announced?.result, current?.result], ['OK', 'DIFFERENT'])
  })

  test('is one for the hosts that share records, and another for a host with its own records', async () => {
    const findings = await findingsAbout('CAA', {
      hosts: ['mx1.ours.example', 'mx2.ours.example', 'mx.other.example'],
      certificates: [letsEncrypt.published],
      zone: { ...aws, caa: { [domain]: issue('letsencrypt.org', 'amazon.com') } },
    })
    assert.deepEqual(
      findings.map(({ name, result, says }) => [name, result, says[0]]),
      [
        [
          domain,
          'OK',
          'letsencrypt.org, amazon.com may issue certificates for mx1.ours.example, mx2.ours.example, mta-sts.ours.example.',
        ],
        [
          'mx.other.example',
          'ADVICE',
          'Any CA may issue certificates for mx.other.example. CAA records limit this to the CAs that you name.',
        ],
      ],
    )
  })
})

describe('readCaaPolicy permits', () => {
  const rows: [string, Records, string[] | null][] = [
    ['any CA without an issue property', [[0, 'issuewild', 'ca.example']], null],
    [
      'each named CA once',
      issue('ca.example', 'other.example', 'ca.example'),
      ['ca.example', 'other.example'],
    ],
    ['a CA with parameters', issue(' ca.example ; a=b; account-id = 1 ;'), ['ca.example']],
    ['no CA for a name that is no domain', issue('%%%%%'), []],
    ['no CA for a malformed parameter', issue('ca.example; policy'), []],
    ['no CA for an empty value', issue(''), []],
    ['no CA for a long value that almost matches', issue(`ca.example; ${'a=1;'.repeat(5_000)}!`), []],
  ]
  for (const [title, records, permitted] of rows)
    test(title, () => {
      const policy = readCaaPolicy(records.map(([flags, tag, value]) => ({ flags, tag, value })))
      assert.deepEqual(policy, { permitted, unknownCritical: null })
    })
})

describe('the finding of `dns` about IPv6', () => {
  const hosts = ['mx1.ours.example', 'mx2.ours.example', 'mx3.ours.example']
  const all = Object.fromEntries(hosts.map((name) => [name, ['2001:db8::1']]))
  const rows: [string, Zone, RecordFinding['result'], RegExp][] = [
    ['is OK when each host has an address', { aaaa: all }, 'OK', /^$/],
    [
      'advises the setting ingress.ipv6 for the hosts without an address',
      { aaaa: { 'mx2.ours.example': ['2001:db8::1'] }, a: { 'mx1.ours.example': ['8.8.8.8'] } },
      'ADVICE',
      /^No IPv6 address \(AAAA\): mx1\.ours\.example, mx3\.ours\.example\. .*Set ingress\.ipv6 to true/,
    ],
    [
      'is unknown when a query fails',
      { aaaa: all, fail: { 'AAAA mx3.ours.example': 'ETIMEOUT' } },
      'UNKNOWN',
      /^The query for the IPv6 addresses of mx3\.ours\.example failed \(ETIMEOUT\)\.$/,
    ],
  ]
  for (const [title, zone, result, says] of rows)
    test(title, async () => {
      const findings = await findingsAbout('IPv6', { hosts, zone })
      assert.deepEqual(
        findings.map(({ name, result }) => [name, result]),
        [[hosts.join(', '), result]],
      )
      assert.match(findings.flatMap(({ says }) => says).join(' '), says)
      assert.equal(worstResult(findings), result === 'ADVICE' ? 'ADVICE' : 'OK')
    })
})

describe('the finding of `dns` about DNSSEC', () => {
  const zone: Zone = { mx: { [domain]: [[10, host]] }, a: { [host]: ['8.8.8.8'] }, txt: { arpa: ['x'] } }
  const rows: [string, Zone, RecordFinding['result'], RegExp][] = [
    ['is OK for signed zones', { ...zone, secure: ['arpa', domain, host] }, 'OK', /^The resolver validated/],
    [
      'names the signed and the unsigned zones',
      { ...zone, secure: ['arpa', domain] },
      'WARN',
      /^Not signed, according to the resolver: mx\.ours\.example\. .*Signed: ours\.example\. .*DS record at the registrar\.$/,
    ],
    [
      'is unknown when the resolver does not validate',
      zone,
      'UNKNOWN',
      /^The resolver does not validate DNSSEC/,
    ],
    [
      'is unknown for a host whose addresses cannot be queried',
      { ...zone, secure: ['arpa', domain], fail: { [host]: 'ESERVFAIL' } },
      'UNKNOWN',
      /^The query for mx\.ours\.example failed/,
    ],
    [
      'is different when validation fails',
      { ...zone, secure: ['arpa', domain], fail: { [host]: 'BOGUS' } },
      'DIFFERENT',
      /^DNSSEC validation fails for mx\.ours\.example/,
    ],
  ]
  for (const [title, each, result, says] of rows)
    test(title, async () => {
      const findings = await findingsAbout('DNSSEC', { zone: each })
      assert.deepEqual(
        findings.map((finding) => finding.result),
        [result],
      )
      assert.match(findings.flatMap((finding) => finding.says).join(' '), says)
      assert.equal(worstResult(findings), result === 'UNKNOWN' ? 'OK' : result)
    })
})
