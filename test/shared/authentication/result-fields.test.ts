import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  authenticationResults,
  type Outcomes,
  receivedSpf,
  type Session,
  type SignatureOutcome,
} from '../../../shared/authentication/result-fields.ts'
import { AuthenticationResult } from '../../../shared/contract/authentication.ts'
import { Random } from '../../support/random.ts'

const session: Session = {
  ip: '192.0.2.1',
  helo: 'mx.p.example',
  mailFrom: 'a@p.example',
  hostname: 'mail.ours.example',
}
const signature: SignatureOutcome = {
  result: 'pass',
  domain: 'p.example',
  selector: 's1',
  aligned: true,
  algorithm: 'rsa-sha256',
  signature: 'abcdEFGH0123',
}
const outcomes: Outcomes = {
  spf: { result: 'pass', identity: 'mailfrom', domain: 'p.example' },
  dkim: [signature],
  dmarc: { result: 'pass', fromDomain: 'p.example', policy: 'reject', alignedBy: ['spf'], reason: null },
  arc: { result: 'none', sealer: null },
  unreadable: null,
}

describe('Authentication-Results has', () => {
  for (const [title, change, expected] of [
    ['all results', {}, ' dkim=pass header.d=p.example header.s=s1 header.a=rsa-sha256 header.b="abcdEFGH"'],
    ['the domain of the reverse path', {}, ' spf=pass smtp.mailfrom=p.example'],
    ['the domain of HELO', { spf: { ...outcomes.spf, identity: 'helo' } }, ' spf=pass smtp.helo=p.example'],
    ['the policy (RFC 9989 §9.1)', {}, ' dmarc=pass policy.dmarc=reject header.from=p.example'],
    ['the client (RFC 8617 §10.2)', {}, ' arc=none smtp.remote-ip=192.0.2.1'],
    ['dkim=none without signature', { dkim: [] }, ' dkim=none'],
    [
      'the reason of an unreadable message',
      { dkim: [], unreadable: 'header section too large' },
      ' dkim=permerror reason="header section too large"',
    ],
    [
      'the reason why DMARC was not evaluated',
      {
        dmarc: {
          ...outcomes.dmarc,
          result: 'permerror',
          fromDomain: null,
          policy: null,
          reason: 'no From field',
        },
      },
      ' dmarc=permerror reason="no From field"',
    ],
    [
      'no value that is not a domain',
      { dkim: [{ ...signature, domain: 'a b', selector: 'x;y' }] },
      ' dkim=pass header.a=rsa-sha256 header.b="abcdEFGH"',
    ],
  ] as [string, Partial<Outcomes>, string][])
    it(title, () => {
      const lines = authenticationResults(session, { ...outcomes, ...change }).split(';\r\n')
      assert.equal(lines[0], 'mail.ours.example')
      assert.ok(lines.includes(expected), lines.join('\n'))
    })
})

describe('Received-SPF has', () => {
  for (const [title, change, expected] of [
    ['the envelope sender', {}, 'envelope-from="a@p.example"'],
    ['a quoted local part', { mailFrom: '"a\\"b"@p.example' }, 'envelope-from="\\"a\\\\\\"b\\"@p.example"'],
    ['an IPv6 address in quotes', { ip: '2001:db8::1' }, 'client-ip="2001:db8::1"'],
    ['a HELO name', {}, 'helo=mx.p.example'],
    ['another HELO text in quotes', { helo: '[192.0.2.1]' }, 'helo="[192.0.2.1]"'],
    ['the receiver', {}, 'receiver=mail.ours.example'],
  ] as [string, Partial<Session>, string][])
    it(title, () => {
      const pairs = receivedSpf({ ...session, ...change }, outcomes.spf).split(/;?\r\n /)
      assert.ok(pairs.includes(expected), pairs.join('\n'))
    })
  it('no envelope sender for the null reverse path (RFC 7208 §9.1)', () =>
    assert.doesNotMatch(receivedSpf({ ...session, mailFrom: '' }, outcomes.spf), /envelope-from/))
})

describe('no text of a client or of DNS', () => {
  const random = new Random(8601)
  const parts = [
    'a',
    '.example',
    '"',
    '\\',
    '(',
    ')',
    ';',
    '\r\n',
    '\n',
    '\r',
    ' ',
    '\t',
    '=',
    '@',
    'dkim=pass',
    '\0',
    'ü',
    '\u2028',
    'X: y',
  ]
  const text = (): string => Array.from({ length: random.between(0, 9) }, () => random.of(parts)).join('')
  /** Removes quoted strings, whose content is no syntax. */
  const withoutQuotes = (field: string): string => field.replace(/"(?:[^"\\]|\\.)*"/g, '""')

  it('adds a line or a result to Authentication-Results', () => {
    for (let run = 0; run < 2_000; run++) {
      const field = authenticationResults(
        { ip: text(), helo: text(), mailFrom: text(), hostname: 'mail.ours.example' },
        {
          ...outcomes,
          spf: { result: random.of(AuthenticationResult.options), identity: 'mailfrom', domain: text() },
          dkim: [{ ...signature, domain: text(), selector: text(), algorithm: text(), signature: text() }],
          dmarc: { ...outcomes.dmarc, fromDomain: text() },
        },
      )
      const lines = field.split(';\r\n ')
      assert.equal(lines.length, 5, field)
      for (const line of lines.slice(1))
        assert.match(
          withoutQuotes(line),
          /^(?:spf|dkim|dmarc|arc)=[a-z]+(?: [a-z]+\.[a-z-]+=(?:""|[\w.-]+))*$/,
        )
    }
  })
  it('adds a line or a pair to Received-SPF', () => {
    for (let run = 0; run < 2_000; run++) {
      const field = receivedSpf(
        { ip: text(), helo: text(), mailFrom: text(), hostname: 'mail.ours.example' },
        { result: 'pass', identity: 'mailfrom', domain: text() },
      )
      assert.match(field, /^[\x20-\x7e]+(?:\r\n [\x20-\x7e]+)*\r\n$/)
      const [first, ...pairs] = withoutQuotes(field.trimEnd()).split(/;?\r\n /)
      assert.match(
        first ?? '',
        /^Received-SPF: pass \(mail\.ours\.example: [a-z0-9. -]+ permits the client\)$/,
      )
      for (const pair of pairs) assert.match(pair, /^[a-z-]+=(?:""|[\w.-]+)$/)
    }
  })
})
