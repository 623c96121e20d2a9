import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { waivesTls } from '../../../shared/mail/waives-tls.ts'
import { sessionCountsOf } from '../../../shared/tls-reports/applied-policy.ts'
import type { DomainCounts } from '../../../shared/tls-reports/counters.ts'
import { readReportMail } from '../../../shared/tls-reports/read-mail.ts'
import { buildReport } from '../../../shared/tls-reports/report.ts'
import { buildReportMessage } from '../../../shared/tls-reports/report-mail.ts'
import { verifySigner } from '../../../shared/tls-reports/verify-signer.ts'
import { fakeResolver } from '../../support/dns.ts'
import { at, session, stsPolicy, wrongName } from '../../support/tls-sessions.ts'

const reporter = { organisation: 'Ours', address: 'postmaster@mx.ours.example', domain: 'mx.ours.example' }
const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const never = new AbortController().signal

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key = {
  domain: 'ours.example',
  selector: 'reports',
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}
const keyRecord = (tags: string) =>
  `v=DKIM1; k=rsa; ${tags}p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
const dns = (record = keyRecord('s=tlsrpt; ')) =>
  fakeResolver({ txt: { 'reports._domainkey.ours.example': [record] } })

const [failedCount] = sessionCountsOf(session({ mtaSts: stsPolicy('testing'), tls: wrongName }), at)
assert.ok(failedCount?.failure)
const counts: DomainCounts = {
  domain: 'partner.example',
  policies: [
    {
      policy: failedCount.policy,
      successes: 5326,
      failures: 3,
      details: [{ failure: failedCount.failure, sessions: 3 }],
    },
    {
      policy: { type: 'no-policy-found', domain: 'partner.example', strings: [], mxHosts: [] },
      successes: 1,
      failures: 0,
      details: [],
    },
  ],
}
const report = buildReport(counts, '2026-02-03', reporter)

test('a report has the format of RFC 8460 §4.4', () => {
  assert.deepEqual(JSON.parse(report.json), {
    'organization-name': 'Ours',
    'date-range': { 'start-datetime': '2026-02-03T00:00:00Z', 'end-datetime': '2026-02-03T23:59:59Z' },
    'contact-info': 'postmaster@mx.ours.example',
    'report-id': report.id,
    policies: [
      {
        policy: {
          'policy-type': 'sts',
          'policy-string': ['version: STSv1', 'mode: testing', 'mx: mx.partner.example', 'max_age: 604800'],
          'policy-domain': 'partner.example',
          'mx-host': ['mx.partner.example'],
        },
        summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': 3 },
        'failure-details': [
          {
            'result-type': 'certificate-host-mismatch',
            'receiving-mx-hostname': 'mx.partner.example',
            'receiving-ip': '198.51.100.7',
            'failed-session-count': 3,
            'failure-reason-code': 'MTA-STS: Certificate is for other.example, not for mx.partner.example',
          },
        ],
      },
      {
        policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'partner.example' },
        summary: { 'total-successful-session-count': 1, 'total-failure-session-count': 0 },
      },
    ],
  })
  assert.match(report.filename, /^mx\.ours\.example!partner\.example!1770076800!1770163199!\w+\.json\.gz$/)
})

test('a report of the same counts is identical, and has another id for another day or domain', () => {
  assert.deepEqual(buildReport(counts, '2026-02-03', reporter), report)
  assert.notEqual(buildReport(counts, '2026-02-04', reporter).id, report.id)
  assert.notEqual(buildReport({ ...counts, domain: 'other.example' }, '2026-02-03', reporter).id, report.id)
})

describe('the mail with a report', async () => {
  const mail = await buildReportMessage(report, { id, to: 'reports@partner.example', at }, reporter, key)
  const [head = ''] = mail.toString('latin1').split('\r\n\r\n')
  const header = head.replaceAll(/\r\n[ \t]+/g, ' ')

  test('has the fields of RFC 8460 §5.3, waives TLS, and is marked as auto-generated', () => {
    for (const line of [
      `Subject: Report Domain: partner.example Submitter: mx.ours.example Report-ID: <${report.id}>`,
      'From: postmaster@mx.ours.example',
      'To: reports@partner.example',
      'Tls-Report-Domain: partner.example',
      'Tls-Report-Submitter: mx.ours.example',
      'Auto-Submitted: auto-generated',
      `Message-ID: <${id}@mx.ours.example>`,
    ])
      assert.ok(header.split('\r\n').includes(line), line)
    assert.match(header, /^Content-Type: multipart\/report; report-type=tlsrpt;/m)
    assert.ok(waivesTls(mail))
    for (const line of mail.toString('latin1').split('\r\n')) assert.ok(line.length <= 998)
  })

  test('is signed over From, Subject and the fields of reports, without a length limit', () => {
    const signature = /^DKIM-Signature: (.*)$/m.exec(header)?.[1] ?? ''
    assert.match(signature, /d=ours\.example;/)
    assert.doesNotMatch(signature, /\bl=/)
    const sign = /h=([^;]*)/.exec(signature)?.[1]?.toLowerCase() ?? ''
    for (const field of ['from', 'tls-report-domain', 'tls-report-submitter', 'subject'])
      assert.ok(sign.split(/[\s:]+/).includes(field), field)
    for (const field of ['date', 'message-id'])
      assert.ok(!sign.split(/[\s:]+/).includes(field), `SES writes its own ${field}`)
  })

  test('contains the report', async () => {
    const reading = await readReportMail(mail)
    assert.equal(reading.kind, 'Report')
    const content = reading.kind === 'Report' ? reading.content : null
    assert.deepEqual([content?.successfulSessions, content?.failedSessions], [5327, 3])
    assert.equal(content?.reportId, report.id)
  })

  const compressed = gzipSync(report.json)
  assert.deepEqual(JSON.parse(gunzipSync(compressed).toString()), JSON.parse(report.json))

  /** A change to the mail or the DNS, and the result. */
  const verdicts: [string, Buffer, ReturnType<typeof dns>, string][] = [
    ['with a key only for TLS reports', mail, dns(), 'pass ours.example'],
    ['with a key for mail', mail, dns(keyRecord('s=email; ')), 'pass ours.example'],
    ['with a key for anything', mail, dns(keyRecord('')), 'pass ours.example'],
    ['with a key for another service', mail, dns(keyRecord('s=other; ')), 'fail null'],
    ['with a withdrawn key', mail, dns('v=DKIM1; k=rsa; p='), 'fail null'],
    ['without a key in DNS', mail, fakeResolver({}), 'fail null'],
    [
      'when the query for the key fails',
      mail,
      fakeResolver({ fail: { 'reports._domainkey.ours.example': 'ESERVFAIL' } }),
      'Unknown',
    ],
    [
      'changed in transit',
      Buffer.from(mail.toString('latin1').replace('for programs', 'for everyone'), 'latin1'),
      dns(),
      'fail null',
    ],
    [
      'with the From address of another domain',
      Buffer.from(
        mail.toString('latin1').replace('From: postmaster@mx.ours.example', 'From: postmaster@bank.example'),
        'latin1',
      ),
      dns(),
      'fail null',
    ],
    [
      'with a second From',
      Buffer.concat([Buffer.from('From: a@bank.example\r\n'), mail]),
      dns(),
      'fail null',
    ],
    ['with appended octets', Buffer.concat([mail, Buffer.from('more\r\n')]), dns(), 'fail null'],
    [
      'with a thousand signatures',
      Buffer.concat([Buffer.from('DKIM-Signature: v=1; d=x.example\r\n'.repeat(1000)), mail]),
      dns(),
      'fail null',
    ],
  ]
  for (const [what, octets, resolver, verdict] of verdicts)
    test(`${what} has the signature result "${verdict}"`, async () => {
      const verification = await verifySigner(octets, resolver, never)
      assert.equal(
        verification.kind === 'Known'
          ? `${verification.authenticated} ${verification.signedBy}`
          : verification.kind,
        verdict,
      )
    })

  /** Signs any content with the organisation's key. */
  const sign = async (octets: string, domain = 'ours.example', maxBodyLength?: number) => {
    const signer = { signingDomain: domain, selector: 'reports', privateKey: key.privateKey }
    const limit = maxBodyLength === undefined ? {} : { maxBodyLength }
    const { signatures } = await dkimSign(octets, { ...signer, signatureData: [{ ...signer, ...limit }] })
    return Buffer.from(signatures + octets)
  }
  const from = (field: string) => `${field}\r\nSubject: x\r\n\r\nA report.\r\n`
  const ownFrom = 'From: postmaster@ours.example'
  const otherResolver = fakeResolver({ txt: { 'reports._domainkey.other.example': [keyRecord('')] } })
  for (const [what, octets, resolver, verdict] of [
    ['one address in From', await sign(from(ownFrom)), dns(), 'pass ours.example'],
    ['a signature of another domain', await sign(from(ownFrom), 'other.example'), otherResolver, 'fail null'],
    ['two addresses in From', await sign(from(`${ownFrom}, a@bank.example`)), dns(), 'fail null'],
    ['two From fields', await sign(from(`From: a@bank.example\r\n${ownFrom}`)), dns(), 'fail null'],
    [
      'a header that is too long',
      await sign(from(`${ownFrom}\r\n${'X: y\r\n'.repeat(50_000)}Y: z`)),
      dns(),
      'fail null',
    ],
    [
      'a signature of only a part of the body',
      await sign(from(ownFrom), 'ours.example', 3),
      dns(),
      'fail null',
    ],
  ] as const)
    test(`is verified like any signed mail: with ${what}, the signature result is "${verdict}"`, async () => {
      const verification = await verifySigner(octets, resolver, never)
      assert.equal(
        verification.kind === 'Known'
          ? `${verification.authenticated} ${verification.signedBy}`
          : verification.kind,
        verdict,
      )
    })

  test('has no valid signature after a change, unless the report in it is unchanged', async () => {
    const resolver = dns()
    const unchanged = await readReportMail(mail)
    const position = fc.nat(mail.length - 1)
    const change = fc.tuple(position, fc.uint8Array({ maxLength: 6 }), fc.nat(20))
    await fc.assert(
      fc.asyncProperty(change, async ([at, inserted, removed]) => {
        const rest = mail.subarray(Math.min(mail.length, at + removed))
        const changed = Buffer.concat([mail.subarray(0, at), inserted, rest])
        const verification = await verifySigner(changed, resolver, never)
        if (verification.kind === 'Known' && verification.authenticated === 'pass')
          assert.deepEqual(await readReportMail(changed), unchanged)
      }),
      { numRuns: 300 },
    )
  })

  test('without a signature has the result "none" and causes no DNS query', async () => {
    const unsigned = await buildReportMessage(report, { id, to: 'a@partner.example', at }, reporter, null)
    const resolver = dns()
    assert.deepEqual(await verifySigner(unsigned, resolver, never), {
      kind: 'Known',
      authenticated: 'none',
      signedBy: null,
    })
    assert.deepEqual(resolver.queries, [])
  })

  test('with a thousand signatures causes no DNS query', async () => {
    const resolver = dns()
    const withManySignatures = Buffer.concat([
      Buffer.from('DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=a; b=; bh=; h=from\r\n'.repeat(1000)),
      mail,
    ])
    await verifySigner(withManySignatures, resolver, never)
    assert.deepEqual(resolver.queries, [])
  })
})

test('buildReportMessage throws when the DKIM key cannot sign, instead of building an unsigned mail', async () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey
  for (const privateKey of [
    '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
    small.export({ type: 'pkcs8', format: 'pem' }).toString(),
  ])
    await assert.rejects(
      buildReportMessage(report, { id, to: 'a@b.example', at }, reporter, { ...key, privateKey }),
      /The DKIM key cannot sign: /,
    )
})
