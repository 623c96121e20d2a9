import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readReportMail } from '../../../shared/tls-reports/read-mail.ts'
import { ReceivedReport, readReport, toReceivedReport } from '../../../shared/tls-reports/received-report.ts'

/** The example of RFC 8460 Appendix B, with common variations. */
const example = {
  'organization-name': 'Company-X',
  'date-range': { 'start-datetime': '2026-02-03T00:00:00Z', 'end-datetime': '2026-02-03T23:59:59Z' },
  'contact-info': 'sts-reporting@company-x.example',
  'report-id': '5065427c-23d3-47ca-b6e0-946ea0e8c4be',
  policies: [
    {
      policy: {
        'policy-type': 'sts',
        'policy-string': [
          'version: STSv1',
          'mode: testing',
          'mx: *.mail.company-y.example',
          'max_age: 86400',
        ],
        'policy-domain': 'Company-Y.example.',
        'mx-host': '*.mail.company-y.example',
      },
      summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': 303 },
      'failure-details': [
        {
          'result-type': 'starttls-not-supported',
          'sending-mta-ip': '2001:db8:abcd:0013::1',
          'receiving-mx-hostname': 'mx2.mail.company-y.example',
          'receiving-ip': '203.0.113.56',
          'failed-session-count': 200,
          'additional-information': 'https://reports.company-x.example/report_info?id=5065427c',
        },
        {
          'result-type': 'validation-failure',
          'sending-mta-ip': '198.51.100.62',
          'receiving-ip': '203.0.113.58',
          'receiving-mx-hostname': 'mx-backup.mail.company-y.example',
          'failed-session-count': 3,
          'failure-reason-code': 'X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED',
          'something-new': { deep: [1, 2] },
        },
      ],
    },
  ],
}
type Example = typeof example
const [policy] = example.policies
assert.ok(policy)

const signer = { authenticated: 'pass', signedBy: 'company-x.example' } as const
const receivedAt = new Date('2026-02-04T06:00:00.000Z')

function storedReport(json: unknown): ReceivedReport {
  const content = readReport(json)
  assert.ok(typeof content !== 'string', String(content))
  const report = toReceivedReport(content, receivedAt, signer)
  assert.ok(typeof report !== 'string', String(report))
  return ReceivedReport.parse(report)
}

test('the example of RFC 8460 is read with all its fields', () => {
  const { id, policies, ...rest } = storedReport(example)
  assert.match(id, /^2026-02-03-[0-9a-f]{20}$/)
  assert.deepEqual(rest, {
    day: '2026-02-03',
    organisation: 'Company-X',
    contact: 'sts-reporting@company-x.example',
    reportId: '5065427c-23d3-47ca-b6e0-946ea0e8c4be',
    begin: '2026-02-03T00:00:00.000Z',
    end: '2026-02-03T23:59:59.000Z',
    receivedAt: '2026-02-04T06:00:00.000Z',
    ...signer,
    domains: ['company-y.example'],
    successfulSessions: 5326,
    failedSessions: 303,
    omitted: { policies: 0, failures: 0 },
  })
  assert.deepEqual(policies, [
    {
      type: 'sts',
      domain: 'company-y.example',
      strings: ['version: STSv1', 'mode: testing', 'mx: *.mail.company-y.example', 'max_age: 86400'],
      mxHosts: ['*.mail.company-y.example'],
      successfulSessions: 5326,
      failedSessions: 303,
      failures: [
        {
          result: 'starttls-not-supported',
          sessions: 200,
          sendingIp: '2001:db8:abcd:0013::1',
          host: 'mx2.mail.company-y.example',
          ip: '203.0.113.56',
          helo: null,
          reason: null,
          information: 'https://reports.company-x.example/report_info?id=5065427c',
        },
        {
          result: 'validation-failure',
          sessions: 3,
          sendingIp: '198.51.100.62',
          host: 'mx-backup.mail.company-y.example',
          ip: '203.0.113.58',
          helo: null,
          reason: 'X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED',
          information: null,
        },
      ],
    },
  ])
})

const faults: [string, unknown, RegExp][] = [
  ['a list instead of an object', [], /^(it|organization-name): /],
  ['null instead of an object', null, /^it: /],
  ['no policies', { ...example, policies: undefined }, /^policies: /],
  ['a policy instead of a list of policies', { ...example, policies: policy }, /^policies: /],
  [
    'an invalid policy domain',
    withPolicy({ policy: { ...policy.policy, 'policy-domain': 'a b' } }),
    /^policies\.0\.policy\.policy-domain: is not a domain/,
  ],
  ['a negative number of sessions', withSummary(-1), /^policies\.0\.summary\.total-failure-session-count: /],
  [
    'an excessive number of sessions',
    withSummary(1e300),
    /^policies\.0\.summary\.total-failure-session-count: /,
  ],
  [
    'a text as number of sessions',
    withSummary('303'),
    /^policies\.0\.summary\.total-failure-session-count: /,
  ],
  [
    'an invalid time',
    { ...example, 'date-range': { 'start-datetime': 'yesterday', 'end-datetime': 'today' } },
    /^date-range\.start-datetime: /,
  ],
]

function withPolicy(fields: object): unknown {
  return { ...example, policies: [{ ...policy, ...fields }] }
}
function withSummary(failures: unknown): unknown {
  return withPolicy({
    summary: { 'total-successful-session-count': 1, 'total-failure-session-count': failures },
  })
}

for (const [what, json, message] of faults)
  test(`a report with a fault is not read, and the fault has its path: ${what}`, () => {
    const read = readReport(json)
    assert.match(typeof read === 'string' ? read : 'was read', message)
  })

const range = (begin: string, end: string) => ({
  ...example,
  'date-range': { 'start-datetime': begin, 'end-datetime': end },
})
const days: [string, Example, boolean][] = [
  ['about a day a month ago', range('2026-01-05T00:00:00Z', '2026-01-05T23:59:59Z'), true],
  ['about a day a year ago', range('2025-02-03T00:00:00Z', '2025-02-03T23:59:59Z'), false],
  [
    'about the day after tomorrow, as by a wrong clock,',
    range('2026-02-06T00:00:00Z', '2026-02-06T23:59:59Z'),
    true,
  ],
  ['about a day in another century', range('2126-02-03T00:00:00Z', '2126-02-03T23:59:59Z'), false],
  ['that ends before it begins', range('2026-02-03T00:00:00Z', '2026-02-02T00:00:00Z'), false],
  ['with times that have an offset', range('2026-02-03T01:00:00+02:00', '2026-02-04T01:00:00+02:00'), true],
]
for (const [what, json, isKept] of days)
  test(`a report ${what} is ${isKept ? 'stored' : 'rejected'}`, () => {
    const content = readReport(json)
    assert.ok(typeof content !== 'string')
    const report = toReceivedReport(content, receivedAt, signer)
    assert.equal(typeof report !== 'string', isKept)
    if (typeof report === 'string') assert.match(report, /^date-range: /)
  })

test('a report has the same id whenever it is received, and another id from another signer', () => {
  const content = readReport(example)
  assert.ok(typeof content !== 'string')
  const idOf = (...given: Parameters<typeof toReceivedReport>) => {
    const report = toReceivedReport(...given)
    return typeof report === 'string' ? report : report.id
  }
  const later = new Date('2026-02-05T06:00:00.000Z')
  assert.equal(idOf(content, later, signer), idOf(content, receivedAt, signer))
  const others = [
    { authenticated: 'pass', signedBy: 'forger.example' },
    { authenticated: 'none', signedBy: null },
  ] as const
  for (const other of others)
    assert.notEqual(idOf(content, receivedAt, other), idOf(content, receivedAt, signer))
})

test('control characters in the names and reasons of a report are removed', () => {
  const hostile = storedReport({
    ...example,
    'organization-name': 'Bank\r\n\u001b[2J\u202eknaB\u0000',
    policies: [
      {
        ...policy,
        'failure-details': [
          {
            'result-type': 'x\u200b\ny',
            'failed-session-count': 1,
            'failure-reason-code': `${'r'.repeat(9999)}\u0007`,
          },
        ],
      },
    ],
  })
  const reportText = JSON.stringify(hostile)
  assert.doesNotMatch(reportText, /\\u00|\\[rn]|[\u202e\u200b]/)
  assert.ok(reportText.length < 2500)
})

test('a report that is too large for an item is cut, with the number of omitted policies and failures', () => {
  const detail = {
    'result-type': 'x'.repeat(500),
    'failed-session-count': 1,
    'failure-reason-code': '€'.repeat(900),
  }
  const report = storedReport({
    ...example,
    policies: Array.from({ length: 400 }, (_, index) => ({
      ...policy,
      policy: {
        ...policy.policy,
        'policy-domain': `d${index}.example`,
        'policy-string': Array(900).fill('€'.repeat(900)),
      },
      'failure-details': Array(300).fill(detail),
    })),
  })
  assert.ok(
    Buffer.byteLength(JSON.stringify(report)) < 390_000,
    `${Buffer.byteLength(JSON.stringify(report))}`,
  )
  const failures = report.policies.reduce((sum, each) => sum + each.failures.length, 0)
  assert.equal(report.policies.length + report.omitted.policies, 400)
  assert.equal(failures + report.omitted.failures, 400 * 300)
})

function mailWith(part: Buffer, type: string, header = 'TLS-Report-Domain: company-y.example'): Buffer {
  return Buffer.from(
    [
      'From: reports@company-x.example',
      ...(header === '' ? [] : [header]),
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=tlsrpt; boundary=b',
      '',
      '--b',
      'Content-Type: text/plain',
      '',
      'A report.',
      '--b',
      `Content-Type: ${type}`,
      'Content-Transfer-Encoding: base64',
      'Content-Disposition: attachment; filename="x.json.gz"',
      '',
      part.toString('base64').replace(/.{76}/g, '$&\r\n'),
      '--b--',
      '',
    ].join('\r\n'),
  )
}

const json = Buffer.from(JSON.stringify(example))
const bomb = gzipSync(Buffer.concat([json, Buffer.alloc(32 * 1024 * 1024, ' ')]))

/** A message, and the reason why it holds no report; null if it holds one. */
const mails: [string, Buffer, RegExp | null][] = [
  ['compressed as application/tlsrpt+gzip', mailWith(gzipSync(json), 'application/tlsrpt+gzip'), null],
  ['as application/tlsrpt+json', mailWith(json, 'application/tlsrpt+json'), null],
  ['as application/gzip and with TLS-Report-Domain', mailWith(gzipSync(json), 'application/gzip'), null],
  [
    'as application/gzip and without TLS-Report-Domain',
    mailWith(gzipSync(json), 'application/gzip', ''),
    /no part of type application\/tlsrpt/,
  ],
  ['that is a compression bomb', mailWith(bomb, 'application/tlsrpt+gzip'), /cannot be unpacked/],
  ['that is no gzip', mailWith(json, 'application/tlsrpt+gzip'), /cannot be unpacked/],
  [
    'that is cut in the middle',
    mailWith(gzipSync(json).subarray(0, 200), 'application/tlsrpt+gzip'),
    /cannot be unpacked/,
  ],
  ['that is no JSON', mailWith(gzipSync('{'), 'application/tlsrpt+gzip'), /cannot be unpacked/],
  [
    'that is no UTF-8',
    mailWith(gzipSync(Buffer.from([0x22, 0xff, 0x22])), 'application/tlsrpt+gzip'),
    /cannot be unpacked/,
  ],
  [
    'that is nested a hundred thousand lists deep',
    mailWith(gzipSync('['.repeat(100_000)), 'application/tlsrpt+gzip'),
    /cannot be unpacked/,
  ],
  [
    'that is JSON without the fields of a report',
    mailWith(gzipSync('{"a":1}'), 'application/tlsrpt+gzip'),
    /not valid: organization-name/,
  ],
  ['that is empty', mailWith(Buffer.alloc(0), 'application/tlsrpt+gzip'), /cannot be unpacked/],
]
for (const [what, mail, why] of mails)
  test(`a mail with a report ${what} is ${why === null ? 'read' : 'rejected with the reason'}`, async () => {
    const reading = await readReportMail(mail)
    if (why === null) assert.equal(reading.kind, 'Report')
    else assert.match(reading.kind === 'NoReport' ? reading.reason : 'was read', why)
  })

const noReports: [string, Buffer][] = [
  ['only plain text', Buffer.from('Subject: hello\r\n\r\nThis is text.\r\n')],
  ['no octets', Buffer.alloc(0)],
  ['a header of three million octets', Buffer.from(`X: ${'a'.repeat(3_000_000)}\r\n\r\n`)],
  ['two thousand nested parts', Buffer.from(nested(2000))],
  ['more than four megabytes', Buffer.alloc(4_200_000, 'a\r\n')],
]

function nested(depth: number): string {
  let mail = ''
  for (let level = 0; level < depth; level++)
    mail += `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`
  return mail
}

for (const [what, mail] of noReports)
  test(`a mail with ${what} has the result NoReport`, async () => {
    assert.equal((await readReportMail(mail)).kind, 'NoReport')
  })
