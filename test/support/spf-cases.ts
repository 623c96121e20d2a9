/** Cases of SPF (RFC 7208) for mailflow and a peer. */
import type { Zone } from './dns.ts'

/** Type and data of the records of a name; `FAIL` for a failing query. */
type Records = Record<
  string,
  readonly (readonly [type: 'TXT' | 'A' | 'AAAA' | 'MX' | 'PTR' | 'FAIL', data: unknown])[]
>

export interface SpfCase {
  title: string
  session: { ip: string; mailFrom: string; helo: string }
  zone: Zone
  expected: string
  peer: { ip: string; sender: string; helo: string; zone: Records }
}

const spf = (record: string) => ['TXT', `v=spf1 ${record}`] as const
const includes = (count: number): Records => ({
  'p.example': [
    spf(`${Array.from({ length: count }, (_, index) => `include:i${index}.example`).join(' ')} -all`),
  ],
  ...Object.fromEntries(Array.from({ length: count }, (_, index) => [`i${index}.example`, [spf('?all')]])),
})

const rows: readonly [title: string, records: Records, expected: string, change?: object][] = [
  ['no record (§4.5)', {}, 'none'],
  ['two records (§4.5)', { 'p.example': [spf('-all'), spf('+all')] }, 'permerror'],
  [
    'another TXT record (§4.5)',
    { 'p.example': [['TXT', 'v=spf10 -all'], spf('ip4:192.0.2.1 -all')] },
    'pass',
  ],
  ['an address (§5.6)', { 'p.example': [spf('ip4:192.0.2.0/24 -all')] }, 'pass'],
  ['another address (§5.6)', { 'p.example': [spf('ip4:198.51.100.0/24 -all')] }, 'fail'],
  ['softfail (§2.6.5)', { 'p.example': [spf('~all')] }, 'softfail'],
  ['neutral (§2.6.2)', { 'p.example': [spf('?all')] }, 'neutral'],
  ['no match (§4.7)', { 'p.example': [spf('ip4:198.51.100.1')] }, 'neutral'],
  ['an IPv6 address (§5.6)', { 'p.example': [spf('ip6:2001:db8::/32 -all')] }, 'pass', { ip: '2001:db8::1' }],
  [
    'an IPv4-mapped address (§5)',
    { 'p.example': [spf('ip4:192.0.2.1 -all')] },
    'pass',
    { ip: '::ffff:192.0.2.1' },
  ],
  ['a (§5.3)', { 'p.example': [spf('a -all'), ['A', '192.0.2.1']] }, 'pass'],
  [
    'mx (§5.4)',
    { 'p.example': [spf('mx -all'), ['MX', [10, 'mx.p.example']]], 'mx.p.example': [['A', '192.0.2.1']] },
    'pass',
  ],
  [
    'include (§5.2)',
    { 'p.example': [spf('include:i.example -all')], 'i.example': [spf('ip4:192.0.2.1 -all')] },
    'pass',
  ],
  [
    'include that does not match (§5.2)',
    { 'p.example': [spf('include:i.example ~all')], 'i.example': [spf('-all')] },
    'softfail',
  ],
  ['include without record (§5.2)', { 'p.example': [spf('include:i.example -all')] }, 'permerror'],
  [
    'redirect (§6.1)',
    { 'p.example': [spf('redirect=r.example')], 'r.example': [spf('ip4:192.0.2.1 -all')] },
    'pass',
  ],
  ['redirect without record (§6.1)', { 'p.example': [spf('redirect=r.example')] }, 'permerror'],
  [
    'a macro (§7)',
    {
      'p.example': [spf('exists:%{ir}.%{v}.x.example -all')],
      '1.2.0.192.in-addr.x.example': [['A', '127.0.0.2']],
    },
    'pass',
  ],
  [
    'ptr (§5.5)',
    {
      'p.example': [spf('ptr -all')],
      '1.2.0.192.in-addr.arpa': [['PTR', 'mx.p.example']],
      'mx.p.example': [['A', '192.0.2.1']],
    },
    'pass',
  ],
  [
    'ptr whose name has another address (§5.5)',
    {
      'p.example': [spf('ptr -all')],
      '1.2.0.192.in-addr.arpa': [['PTR', 'mx.p.example']],
      'mx.p.example': [['A', '192.0.2.2']],
    },
    'fail',
  ],
  ['an unknown mechanism (§4.6)', { 'p.example': [spf('foo -all')] }, 'permerror'],
  ['an invalid address (§4.6)', { 'p.example': [spf('ip4:192.0.2 -all')] }, 'permerror'],
  ['an unknown modifier (§6)', { 'p.example': [spf('foo=bar ip4:192.0.2.1 -all')] }, 'pass'],
  ['ten queries (§4.6.4)', includes(10), 'fail'],
  ['eleven queries (§4.6.4)', includes(11), 'permerror'],
  [
    'three queries without answer (§4.6.4)',
    { 'p.example': [spf('a:x.example a:y.example a:z.example -all')] },
    'permerror',
  ],
  ['a loop (§4.6.4)', { 'p.example': [spf('include:p.example -all')] }, 'permerror'],
  ['a failing query (§4.4)', { 'p.example': [['FAIL', '']] }, 'temperror'],
  [
    'a failing query of a mechanism (§5)',
    { 'p.example': [spf('a:x.example -all')], 'x.example': [['FAIL', '']] },
    'temperror',
  ],
  [
    'HELO with the null reverse path (§2.4)',
    { 'mx.p.example': [spf('ip4:192.0.2.1 -all')] },
    'pass',
    { mailFrom: '' },
  ],
  ['an address literal as HELO (§4.3)', {}, 'none', { mailFrom: '', helo: '[192.0.2.1]' }],
]

const data = <T>(records: Records, type: string): Record<string, T[]> =>
  Object.fromEntries(
    Object.entries(records)
      .map(
        ([name, list]) =>
          [name, list.filter(([each]) => each === type).map(([, value]) => value as T)] as const,
      )
      .filter(([, list]) => list.length > 0),
  )

export const spfCases: readonly SpfCase[] = rows.map(([title, records, expected, change]) => {
  const session = { ip: '192.0.2.1', mailFrom: 'a@p.example', helo: 'mx.p.example', ...change }
  const fail = Object.keys(data(records, 'FAIL')).map((name) => [name, 'ESERVFAIL'])
  return {
    ...{ title, session, expected },
    zone: {
      ...{
        txt: data<string>(records, 'TXT'),
        a: data<string>(records, 'A'),
        aaaa: data<string>(records, 'AAAA'),
        ptr: data<string>(records, 'PTR'),
      },
      ...{ mx: data<[number, string]>(records, 'MX'), fail: Object.fromEntries(fail) },
    },
    peer: { ip: session.ip, sender: session.mailFrom, helo: session.helo, zone: records },
  }
})
