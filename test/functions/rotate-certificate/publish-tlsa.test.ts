/** Which TLSA records the function publishes, as a table, and what it sends to Route 53. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { publishTlsa, recordSetFor } from '../../../functions/rotate-certificate/publish-tlsa.ts'
import { Route53Zone, type TlsaRecordSet } from '../../../functions/rotate-certificate/route53-zone.ts'
import { CredentialsCache } from '../../../shared/aws/credentials-cache.ts'
import type { PublishedCertificate, PublishedCertificates } from '../../../shared/contract/certificates.ts'
import { answer, ScriptedServer } from '../../support/aws-server.ts'

const now = new Date('2026-11-29T12:00:00Z')
const at = (hours: number) => new Date(now.getTime() + hours * 3_600_000).toISOString()
const digest = (letter: string) => letter.repeat(64)
const record = (letter: string) => `3 1 1 ${digest(letter)}`
type Entry = [state: PublishedCertificate['state'], letter: string, servedUntil?: string]
const published = (...entries: Entry[]): PublishedCertificates => ({
  hostname: 'mx.ours.example',
  changedAt: at(0),
  certificates: entries.map(
    ([state, letter, servedUntil = null]) =>
      ({ state, publicKeyFingerprint256: digest(letter), servedUntil }) as PublishedCertificate,
  ),
  tlsaRecords: [],
  protocol: { versions: [], cipherSuites: [], groups: [] },
})
const recordSet = (...values: string[]): TlsaRecordSet => ({ ttlSeconds: 3600, values })

const rows: [
  what: string,
  entries: Entry[],
  existing: string[] | null,
  expected: string[],
  withdrawn?: string[],
][] = [
  ['no records yet', [['Current', 'a']], null, [record('a')]],
  [
    'a next key',
    [
      ['Current', 'a'],
      ['Next', 'b'],
    ],
    [record('a')],
    [record('a'), record('b')],
  ],
  [
    'a next certificate with the same key',
    [
      ['Current', 'a'],
      ['Next', 'a'],
    ],
    [record('a')],
    [record('a')],
  ],
  [
    'a key used until two hours ago',
    [
      ['Current', 'b'],
      ['Deprecated', 'a', at(-2)],
    ],
    [record('a'), record('b')],
    [record('a'), record('b')],
  ],
  [
    'a key used until two TTLs and an hour ago',
    [
      ['Current', 'b'],
      ['Deprecated', 'a', at(-3)],
    ],
    [record('a'), record('b')],
    [record('b')],
  ],
  [
    'a previous key without a record',
    [
      ['Current', 'b'],
      ['Deprecated', 'a', at(-1)],
    ],
    [record('b')],
    [record('b')],
  ],
  ['a withdrawn next key', [['Current', 'a']], [record('a'), record('b')], [record('a')], [digest('b')]],
  [
    'a withdrawn next key that is in use again',
    [['Current', 'b']],
    [record('a'), record('b')],
    [record('a'), record('b')],
    [digest('b')],
  ],
  ["a previous gateway's key", [['Current', 'b']], [record('a')], [record('a'), record('b')]],
  [
    'records with other parameters',
    [
      ['Current', 'b'],
      ['Deprecated', 'a', at(-3)],
    ],
    [`2 1 1 ${digest('c')}`, `3 0 1 ${digest('d')}`, record('a')],
    [`2 1 1 ${digest('c')}`, `3 0 1 ${digest('d')}`, record('b')],
  ],
  [
    'a record in another notation',
    [['Current', 'a']],
    [`3  1 1 ${digest('A').slice(0, 32)} ${digest('A').slice(32)}`],
    [`3  1 1 ${digest('A').slice(0, 32)} ${digest('A').slice(32)}`],
  ],
]

for (const [what, entries, existing, expected, withdrawn = []] of rows)
  test(`with ${what}, the zone gets the right records`, () => {
    const set = existing && recordSet(...existing)
    assert.deepEqual(recordSetFor(published(...entries), set, now, withdrawn), recordSet(...expected))
  })

test('an existing record set keeps its TTL, and the time before a removal follows from it', () => {
  const existing = { ttlSeconds: 60, values: [record('a'), record('b')] }
  const entries: Entry[] = [
    ['Current', 'b'],
    ['Deprecated', 'a', at(-1.1)],
  ]
  assert.deepEqual(recordSetFor(published(...entries), existing, now), {
    ttlSeconds: 60,
    values: [record('b')],
  })
})

const servers: ScriptedServer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.stop()
})

const dnssec = (status: string) =>
  answer(
    200,
    `<?xml version="1.0"?>\n<GetDNSSECResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Status><ServeSignature>${status}</ServeSignature></Status><KeySigningKeys/></GetDNSSECResponse>`,
  )
const listed = (name: string, type: string, ...values: string[]) =>
  answer(
    200,
    `<?xml version="1.0"?>\n<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ResourceRecordSets><ResourceRecordSet><Name>${name}</Name><Type>${type}</Type><TTL>300</TTL><ResourceRecords>${values.map((value) => `<ResourceRecord><Value>${value}</Value></ResourceRecord>`).join('')}</ResourceRecords></ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>`,
  )
const changed = answer(200, '<?xml version="1.0"?>\n<ChangeResourceRecordSetsResponse/>')

async function zoneWith(...script: Parameters<typeof ScriptedServer.start>) {
  const server = await ScriptedServer.start(...script)
  servers.push(server)
  const credentials = new CredentialsCache(async () => ({ accessKeyId: 'id', secretAccessKey: 'key' }))
  const target = {
    isSecure: false,
    hostname: '127.0.0.1',
    port: server.port,
    path: '',
    region: 'us-east-1',
    service: 'route53',
  }
  return { server, zone: new Route53Zone('Z1', credentials, target) }
}
const owner = '_25._tcp.mx.ours.example'
const announced = published(['Current', 'a'], ['Next', 'b'])

test('a missing record is added to the existing ones, which stay as they are, with one UPSERT', async () => {
  const { server, zone } = await zoneWith(
    dnssec('SIGNING'),
    listed(`${owner}.`, 'TLSA', record('a')),
    changed,
  )
  assert.equal(await publishTlsa(zone, announced, now), true)
  assert.deepEqual(
    server.requests.map(({ method, path }) => `${method} ${path}`),
    [
      'GET /2013-04-01/hostedzone/Z1/dnssec',
      `GET /2013-04-01/hostedzone/Z1/rrset?maxitems=1&name=${owner}&type=TLSA`,
      'POST /2013-04-01/hostedzone/Z1/rrset',
    ],
  )
  const values = [record('a'), record('b')].map(
    (value) => `<ResourceRecord><Value>${value}</Value></ResourceRecord>`,
  )
  assert.equal(
    server.requests[2]?.body.toString(),
    `<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>${owner}</Name><Type>TLSA</Type><TTL>300</TTL><ResourceRecords>${values.join('')}</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`,
  )
  assert.match(server.requests[0]?.headers.authorization ?? '', /\/us-east-1\/route53\/aws4_request,/)
})

test('nothing is written when the records are published already', async () => {
  const { server, zone } = await zoneWith(
    dnssec('SIGNING'),
    listed(`${owner}.`, 'TLSA', record('b'), record('a')),
  )
  assert.equal(await publishTlsa(zone, announced, now), false)
  assert.equal(server.requests.length, 2)
})

for (const [name, type] of [
  ['_443._tcp.mx.ours.example.', 'TLSA'],
  [`${owner}.`, 'TXT'],
] as const)
  test(`the set ${name} ${type}, which Route 53 lists instead, is not taken for the TLSA records`, async () => {
    const { server, zone } = await zoneWith(dnssec('SIGNING'), listed(name, type, record('c')), changed)
    await publishTlsa(zone, announced, now)
    assert.ok(!server.requests[2]?.body.includes(digest('c')))
    assert.ok(server.requests[2]?.body.includes('<TTL>3600</TTL>'))
  })

for (const status of ['NOT_SIGNING', 'ACTION_NEEDED', 'INTERNAL_FAILURE'])
  test(`a zone with the status ${status} is refused, and no record is written`, async () => {
    const { server, zone } = await zoneWith(dnssec(status))
    await assert.rejects(
      publishTlsa(zone, announced, now),
      new RegExp(`Route 53 does not sign the zone Z1 \\(${status}\\)\\. Enable DNSSEC signing, or remove`),
    )
    assert.equal(server.requests.length, 1)
  })

test('a record 3 1 2, for which senders ignore 3 1 1, is reported after the missing records are added', async () => {
  const stronger = `3 1 2 ${'c'.repeat(128)}`
  const { server, zone } = await zoneWith(
    dnssec('SIGNING'),
    listed(`${owner}.`, 'TLSA', stronger),
    changed,
    dnssec('SIGNING'),
    listed(`${owner}.`, 'TLSA', stronger, record('a'), record('b')),
  )
  const fault =
    /_25\._tcp\.mx\.ours\.example has a record 3 1 2, so senders ignore 3 1 1 \(RFC 7671 §9\)\. Remove it/
  await assert.rejects(publishTlsa(zone, announced, now), fault)
  for (const value of [stronger, record('a'), record('b')])
    assert.ok(server.requests[2]?.body.includes(`<Value>${value}</Value>`))
  await assert.rejects(publishTlsa(zone, announced, now), fault)
  assert.equal(server.requests.length, 5)
})

test('a refusal of Route 53 is thrown with its message', async () => {
  const refusal = answer(
    400,
    '<ErrorResponse><Error><Code>InvalidChangeBatch</Code><Message>RRSet with DNS name is not permitted in zone</Message></Error></ErrorResponse>',
  )
  const { zone } = await zoneWith(dnssec('SIGNING'), listed('x.', 'A'), refusal)
  await assert.rejects(publishTlsa(zone, announced, now), {
    name: 'InvalidChangeBatch',
    message: /not permitted in zone/,
  })
})
