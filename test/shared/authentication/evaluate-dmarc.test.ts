import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { authorDomain } from '../../../shared/authentication/author-domain.ts'
import { evaluateDmarc } from '../../../shared/authentication/evaluate-dmarc.ts'
import { messageLookup } from '../../../shared/authentication/message-lookup.ts'
import { AuthenticationResult } from '../../../shared/contract/authentication.ts'
import { type DmarcCase, dmarcCases } from '../../support/dmarc-cases.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'

const outcome = (text: string) => {
  const [result, domain] = text.split(' ') as [string, string]
  return { result: AuthenticationResult.parse(result), domain }
}

/** `*NAME` has a record of another type only. */
function zoneOf(dmarcCase: DmarcCase): Zone {
  const zone = { a: {}, aaaa: {}, txt: {}, cname: {}, fail: {} } as Required<
    Pick<Zone, 'a' | 'aaaa' | 'txt' | 'cname' | 'fail'>
  >
  for (const [name, records] of Object.entries(dmarcCase.txt))
    if (records === null) zone.fail[name] = 'ESERVFAIL'
    else zone.txt[name] = [...records]
  for (const name of dmarcCase.names) {
    const [alias, target] = name.split('>') as [string, string | undefined]
    if (target !== undefined) zone.cname[alias] = target
    else if (name.startsWith('!')) zone.fail[name.slice(1)] = 'ETIMEOUT'
    else if (name.startsWith('*')) zone.aaaa[name.slice(1)] = ['2001:db8::1']
    else zone.a[name] = ['192.0.2.1']
  }
  return zone
}

const evaluateCase = (dmarcCase: DmarcCase) =>
  evaluateDmarc(
    authorDomain(dmarcCase.from),
    { ...outcome(dmarcCase.spf), identity: 'mailfrom' },
    dmarcCase.dkim.map((text) => ({ ...outcome(text), selector: 's', algorithm: '', signature: '' })),
    messageLookup(fakeResolver(zoneOf(dmarcCase)), 1_000),
  )

describe('the result of DMARC', () => {
  for (const dmarcCase of dmarcCases)
    it(`${dmarcCase.title} (${dmarcCase.clause})`, async () => {
      const { result, policy, alignedBy } = (await evaluateCase(dmarcCase)).outcome
      assert.equal([result, policy ?? '-', ...alignedBy].join(' '), dmarcCase.expected)
    })
})

describe('a signature is aligned', () => {
  for (const [title, dkim, txt, expected] of [
    [
      'whatever its result',
      ['fail m.p.example', 'pass q.example'],
      { '_dmarc.p.example': ['v=DMARC1; p=none'] },
      [true, false],
    ],
    [
      'without a record only with an identical domain',
      ['pass p.example', 'pass m.p.example'],
      {},
      [true, false],
    ],
  ] as const)
    it(title, async () => {
      const dmarcCase = { ...(dmarcCases[0] as DmarcCase), dkim, txt }
      assert.deepEqual((await evaluateCase(dmarcCase)).aligned, expected)
    })
})

it('a walk queries at most eight names for a domain of any length (4.10)', async () => {
  const resolver = fakeResolver({})
  const domain = `${'a.'.repeat(60)}p.example`
  const lookup = messageLookup(resolver, 1_000)
  await evaluateDmarc(
    { kind: 'One', domain },
    { result: 'none', identity: 'mailfrom', domain: '' },
    [],
    lookup,
  )
  assert.equal(resolver.queries.length, 8)
})
