/** Tests the findings of `dns` about DKIM and DMARC. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { treeWalkParents } from '../../../shared/domain-records/facts/dmarc-tree-walk.ts'
import { type RecordFinding, worstResult } from '../../../shared/domain-records/findings/record-finding.ts'
import { findingsAbout } from '../../support/cli/domain-findings.ts'
import type { Zone } from '../../support/dns.ts'

const domain = 'ours.example'
const newRecord = '"v=DMARC1; p=none; rua=mailto:dmarc-reports@ours.example"'

interface Row {
  txt?: Record<string, string[]>
  zone?: Zone
  result: RecordFinding['result']
  says: RegExp
  wanted?: string[]
}

describe('the finding of `dns` about the DMARC record', () => {
  const own = (...records: string[]) => ({ [`_dmarc.${domain}`]: records })
  const rows: Record<string, Row> = {
    'with the policy reject': {
      txt: own('v=DMARC1; p=reject; rua=mailto:a@b.example'),
      result: 'OK',
      says: /^$/,
    },
    'with the policy none': {
      txt: own('v=DMARC1;p=none;rua=mailto:a@b.example!10m,https://b.example/x;'),
      result: 'OK',
      says: /^With the policy none, receivers deliver forged mail\. When the reports show .* quarantine, then to reject\.$/,
    },
    'in test mode and without reports': {
      txt: own('v=DMARC1; p=quarantine; t=y'),
      result: 'OK',
      says: /^With t=y, receivers apply the next weaker policy\. There is no rua, so you get no reports\.$/,
    },
    'beside other text': {
      txt: own('v=spf1 -all', 'v=DMARC1; p=reject; rua=mailto:a@b.example'),
      result: 'OK',
      says: /^$/,
    },
    'that does not exist': {
      result: 'MISSING',
      says: /^Receivers cannot recognise mail that forges your domain.*Begin with p=none: it changes no delivery/,
      wanted: [newRecord],
    },
    'that exists twice': {
      txt: own('v=DMARC1; p=reject', 'v=DMARC1; p=none'),
      result: 'DIFFERENT',
      says: /^There are several records; receivers ignore all of them\.$/,
      wanted: ['"v=DMARC1; p=reject"'],
    },
    'with an unknown policy': {
      txt: own('v=DMARC1; p=block; sp=reject; rua=mailto:a@b.example'),
      result: 'DIFFERENT',
      says: /^p=block is not none, quarantine or reject\.$/,
      wanted: ['"v=DMARC1; p=none; sp=reject; rua=mailto:a@b.example"'],
    },
    'without a policy': {
      txt: own('v=DMARC1; rua=mailto:a@b.example'),
      result: 'DIFFERENT',
      says: /^The record has no p, so many receivers ignore it\.$/,
    },
    'with an address that is no URI': {
      txt: own('v=DMARC1; p=reject; rua=dmarc@ours.example'),
      result: 'DIFFERENT',
      says: /^rua has an address that is not a URI: use mailto:ADDRESS\.$/,
      wanted: ['"v=DMARC1; p=reject; rua=mailto:dmarc-reports@ours.example"'],
    },
    'with a tag twice': {
      txt: own('v=DMARC1; p=none; p=reject'),
      result: 'DIFFERENT',
      says: /a tag is repeated/,
      wanted: [newRecord],
    },
    'with its version in lower case': {
      txt: own('v=dmarc1; p=reject'),
      result: 'DIFFERENT',
      says: /it must begin with v=DMARC1, in upper case/,
      wanted: [newRecord],
    },
    'when the query fails': {
      zone: { fail: { [`_dmarc.${domain}`]: 'ESERVFAIL' } },
      result: 'UNKNOWN',
      says: /ESERVFAIL/,
    },
    'when the query for a parent fails': {
      zone: { fail: { '_dmarc.example': 'ESERVFAIL' } },
      result: 'UNKNOWN',
      says: /ESERVFAIL/,
    },
    'that only a public suffix has': {
      txt: { '_dmarc.example': ['v=DMARC1; p=reject; psd=y'] },
      result: 'MISSING',
      says: /^Only the record of the public suffix example applies/,
    },
  }
  for (const [title, { txt, zone, result, says, wanted = [] }] of Object.entries(rows))
    test(`${title}: ${result}`, async () => {
      const [finding] = await findingsAbout('DMARC', { zone: zone ?? (txt ? { txt } : {}) })
      assert.ok(finding)
      assert.equal(finding.result, result)
      assert.match(finding.says.join(' '), says)
      if (wanted.length > 0 || result === 'OK') assert.deepEqual(finding.wanted, wanted)
    })
})

describe('a subdomain without a DMARC record inherits', () => {
  const from = (records: Record<string, string>): Record<string, string[]> =>
    Object.fromEntries(Object.entries(records).map(([name, text]) => [`_dmarc.${name}`, [text]]))
  const exists = { 'a.b.ours.example': [[10, 'mx.ours.example']] as [number, string][] }
  const rows: [string, Zone, RecordFinding['result'], RegExp][] = [
    [
      'the policy sp of the organisational domain',
      {
        mx: exists,
        txt: from({ 'ours.example': 'v=DMARC1; p=reject; sp=quarantine; np=none; rua=mailto:a@b.example' }),
      },
      'OK',
      /^The record of ours\.example applies, with the policy quarantine for this domain\.$/,
    ],
    [
      'the policy np when the subdomain does not exist',
      { txt: from({ 'ours.example': 'v=DMARC1; p=reject; sp=quarantine; np=none; rua=mailto:a@b.example' }) },
      'OK',
      /^The record of ours\.example applies, with the policy none for this domain\. With the policy none/,
    ],
    [
      'the policy p without sp and np, of the domain with the fewest labels',
      {
        mx: exists,
        txt: from({
          'b.ours.example': 'v=DMARC1; p=none',
          'ours.example': 'v=DMARC1; p=reject; rua=mailto:a@b.example',
        }),
      },
      'OK',
      /^The record of ours\.example applies, with the policy reject/,
    ],
    [
      'from the domain with psd=n',
      {
        mx: exists,
        txt: from({
          'b.ours.example': 'v=DMARC1; p=reject; psd=n; rua=mailto:a@b.example',
          'ours.example': 'v=DMARC1; p=none',
        }),
      },
      'OK',
      /^The record of b\.ours\.example applies/,
    ],
    [
      'from the domain below a public suffix',
      {
        mx: exists,
        txt: from({
          'ours.example': 'v=DMARC1; p=reject; rua=mailto:a@b.example',
          example: 'v=DMARC1; p=none; psd=y',
        }),
      },
      'OK',
      /^The record of ours\.example applies/,
    ],
    [
      'nothing from a subdomain of the organisational domain, below a public suffix',
      {
        mx: exists,
        txt: from({ 'b.ours.example': 'v=DMARC1; p=reject', example: 'v=DMARC1; p=none; psd=y' }),
      },
      'MISSING',
      /^Only the record of the public suffix example applies/,
    ],
    [
      'nothing from several records',
      { mx: exists, txt: { '_dmarc.ours.example': ['v=DMARC1; p=reject', 'v=DMARC1; p=none'] } },
      'MISSING',
      /^Receivers cannot recognise/,
    ],
    [
      'a record with a fault, which is reported',
      { mx: exists, txt: from({ 'ours.example': 'v=DMARC1; p=block; rua=mailto:a@b.example' }) },
      'WARN',
      /policy none for this domain\. p=block is not none/,
    ],
  ]
  for (const [title, zone, result, says] of rows)
    test(`${title}: ${result}`, async () => {
      const [finding] = await findingsAbout('DMARC', { domain: 'a.b.ours.example', zone })
      assert.equal(finding?.result, result)
      assert.match(finding?.says.join(' ') ?? '', says)
    })

  test('from at most seven parents of a longer name', () => {
    assert.deepEqual(treeWalkParents('a.b.c.d.e.f.g.h.i.mail.example'), [
      'e.f.g.h.i.mail.example',
      'f.g.h.i.mail.example',
      'g.h.i.mail.example',
      'h.i.mail.example',
      'i.mail.example',
      'mail.example',
      'example',
    ])
    assert.equal(treeWalkParents('a.b.c.d.e.f.mail.example')[0], 'b.c.d.e.f.mail.example')
    assert.deepEqual(treeWalkParents('example'), [])
  })
})

const rsaKey = (bits: number, type: 'spki' | 'pkcs1' = 'spki') =>
  generateKeyPairSync('rsa', { modulusLength: bits })
    .publicKey.export({ type, format: 'der' })
    .toString('base64')

describe('the finding of `dns` about the key of --dkim-selector', () => {
  const key = rsaKey(2048)
  const name = `s1._domainkey.${domain}`
  const rows: Record<string, Row & { text?: string }> = {
    'of 2048 bits': {
      text: `v=DKIM1; k=rsa; p=${key}`,
      result: 'OK',
      says: /^It is an RSA key of 2048 bits\.$/,
    },
    'without version and type, with white space in it': {
      text: `p=${key.slice(0, 90)} ${key.slice(90)};`,
      result: 'OK',
      says: /2048 bits/,
    },
    'in the other form': { text: `v=DKIM1; p=${rsaKey(2048, 'pkcs1')}`, result: 'OK', says: /2048 bits/ },
    'of 1024 bits': {
      text: `v=DKIM1; k=rsa; p=${rsaKey(1024)}`,
      result: 'WARN',
      says: /^It is an RSA key of 1024 bits; use 2048 bits\.$/,
    },
    'of 768 bits': {
      text: `v=DKIM1; k=rsa; p=${rsaKey(768)}`,
      result: 'DIFFERENT',
      says: /^It is an RSA key of 768 bits; receivers reject keys of less than 1024 bits\./,
    },
    'of type Ed25519': {
      text: `v=DKIM1; k=ed25519; p=${Buffer.alloc(32, 7).toString('base64')}`,
      result: 'WARN',
      says: /^Many receivers do not verify Ed25519/,
    },
    'that is revoked': {
      text: 'v=DKIM1; p=',
      result: 'DIFFERENT',
      says: /^The key is revoked: p is empty\./,
    },
    'without p': { text: 'v=DKIM1; k=rsa', result: 'DIFFERENT', says: /^The record has no p/ },
    'that is no key': { text: 'v=DKIM1; p=AAAA', result: 'DIFFERENT', says: /^p is not an RSA key\./ },
    'of an unknown type': {
      text: `v=DKIM1; k=dsa; p=${key}`,
      result: 'DIFFERENT',
      says: /^k=dsa is not a key type/,
    },
    'with another version': {
      text: `v=DKIM2; p=${key}`,
      result: 'DIFFERENT',
      says: /^v must be the first tag/,
    },
    'with the version in the wrong place': {
      text: `p=${key}; v=DKIM1`,
      result: 'DIFFERENT',
      says: /^v must be the first tag/,
    },
    'for SHA-1 only': { text: `v=DKIM1; h=sha1; p=${key}`, result: 'DIFFERENT', says: /^With h=sha1/ },
    'for another service': { text: `v=DKIM1; s=other; p=${key}`, result: 'DIFFERENT', says: /^With s=other/ },
    'for TLS reports': {
      text: `v=DKIM1; s=tlsrpt; p=${key}`,
      result: 'WARN',
      says: /only for TLS reports\.$/,
    },
    'for tests': { text: `v=DKIM1; t=y:s; p=${key}`, result: 'WARN', says: /^With t=y, receivers treat/ },
    'that does not exist': {
      result: 'MISSING',
      says: /^There is no key.*Amazon SES \(Easy DKIM\) needs three records TOKEN\._domainkey\.ours\.example CNAME/,
    },
    'that exists twice': {
      zone: { txt: { [name]: [`p=${key}`, `v=DKIM1; p=${key}`] } },
      result: 'DIFFERENT',
      says: /^There are several records/,
    },
    'behind an alias of Amazon SES': {
      zone: { cname: { [name]: 's1.dkim.amazonses.com' }, txt: { 's1.dkim.amazonses.com': [`p=${key}`] } },
      result: 'OK',
      says: /^It is an RSA key of 2048 bits of Amazon SES\.$/,
    },
    'when the query fails': { zone: { fail: { [name]: 'ETIMEOUT' } }, result: 'UNKNOWN', says: /ETIMEOUT/ },
  }
  for (const [title, { text, zone, result, says }] of Object.entries(rows))
    test(`${title}: ${result}`, async () => {
      const findings = await findingsAbout('DKIM', {
        dkimSelectors: ['s1'],
        zone: zone ?? (text === undefined ? {} : { txt: { [name]: [text] } }),
      })
      assert.deepEqual(
        findings.map((finding) => [finding.name, finding.result]),
        [[name, result]],
      )
      assert.match(findings[0]?.says.join(' ') ?? '', says)
    })

  test('is one for each selector', async () => {
    const txt = { [name]: [`v=DKIM1; p=${key}`] }
    const findings = await findingsAbout('DKIM', {
      dkimSelectors: ['s1', '20260101'],
      egress: ['192.0.2.1'],
      zone: { txt },
    })
    assert.deepEqual(
      findings.map((finding) => [finding.name, finding.result]),
      [
        [name, 'OK'],
        [`20260101._domainkey.${domain}`, 'MISSING'],
      ],
    )
    assert.deepEqual(
      findings[1]?.says.at(-1),
      'The server that signs the mail of the domain gives the record to publish.',
    )
  })
})

describe('the finding of `dns` about DKIM without --dkim-selector', () => {
  const parent = `_domainkey.${domain}`
  const rows: [string, Zone, RecordFinding['result'], RegExp][] = [
    [
      'when a selector exists',
      { a: { [parent]: [] } },
      'OK',
      /^The domain has DKIM keys\. DNS cannot list them/,
    ],
    ['when no name exists below', {}, 'MISSING', /^No selector exists.*aws ses get-identity-dkim-attributes/],
    [
      'when the server denies no name',
      { a: { [parent]: [], [`_mailflow-absent.${domain}`]: [] } },
      'UNKNOWN',
      /does not show whether a selector exists/,
    ],
    [
      'when the name has a record of its own',
      { txt: { [parent]: ['o=~'] } },
      'UNKNOWN',
      /does not show whether a selector exists/,
    ],
    [
      'when the query for a missing name fails',
      { a: { [parent]: [] }, fail: { [`_mailflow-absent.${domain}`]: 'ESERVFAIL' } },
      'UNKNOWN',
      /does not show whether a selector exists/,
    ],
  ]
  for (const [title, zone, result, says] of rows)
    test(`${title}: ${result}`, async () => {
      const findings = await findingsAbout('DKIM', { zone })
      assert.deepEqual(
        findings.map((finding) => [finding.name, finding.result]),
        [[parent, result]],
      )
      assert.match(findings[0]?.says.join(' ') ?? '', says)
      assert.equal(worstResult(findings), result === 'UNKNOWN' ? 'OK' : result)
    })

  test('is unknown, with an effect on the exit status, when the query fails', async () => {
    const findings = await findingsAbout('DKIM', { zone: { fail: { [parent]: 'ESERVFAIL' } } })
    assert.equal(worstResult(findings), 'UNKNOWN')
  })
})
