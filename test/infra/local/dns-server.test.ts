import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { after, before, test } from 'node:test'
import { type DnsServer, startDnsServer } from '../../../infra/local/dns/server.ts'
import { parseZone } from '../../../infra/local/dns/zone.ts'
import { createResolver } from '../../../shared/net/resolver.ts'

const longText = 'x'.repeat(700)
let server: DnsServer
const resolver = new Resolver({ timeout: 2000, tries: 1 })

before(async () => {
  const zone = parseZone({
    names: {
      'partner.example': {
        MX: [
          [10, 'mx1.partner.example'],
          [20, 'mx2.partner.example'],
        ],
        TXT: ['short', longText],
      },
      'mx1.partner.example': { A: ['127.0.0.11'], AAAA: ['::1'] },
      '_25._tcp.mx1.partner.example': { TLSA: [[3, 1, 1, 'ab01']] },
      'alias.example': { CNAME: 'mx1.partner.example' },
      'silent.example': { MX: [[0, '']] },
      'broken.example': { fail: 'SERVFAIL' },
      'forged.example': { fail: 'BOGUS' },
      'proven.example': { A: ['127.0.0.12'], secure: true },
    },
  })
  server = await startDnsServer(zone, 0)
  resolver.setServers([`127.0.0.1:${server.port}`])
})
after(() => server.close())

test('a resolver gets MX, A, AAAA and TLSA records, and the address of an alias', async () => {
  assert.deepEqual(await exchangesOf('partner.example'), [
    [10, 'mx1.partner.example'],
    [20, 'mx2.partner.example'],
  ])
  assert.deepEqual(await resolver.resolve4('alias.example'), ['127.0.0.11'])
  assert.deepEqual(await resolver.resolve6('mx1.partner.example'), ['::1'])
  const [tlsa] = await resolver.resolveTlsa('_25._tcp.mx1.partner.example')
  assert.deepEqual([tlsa?.certUsage, tlsa?.selector, tlsa?.match], [3, 1, 1])
  assert.equal(Buffer.from((tlsa?.data ?? new ArrayBuffer()) as ArrayBuffer).toString('hex'), 'ab01')
})

test('a null MX is read as a record with an empty host', async () => {
  assert.deepEqual(await exchangesOf('silent.example'), [[0, '']])
})

test('a resolver gets a response that is too long for UDP over TCP, with complete long strings', async () => {
  const texts = (await resolver.resolveTxt('partner.example')).map((strings) => strings.join(''))
  assert.deepEqual(texts, ['short', longText])
})

const failures = [
  { name: 'gone.example', code: 'ENOTFOUND' },
  { name: 'mx1.partner.example', code: 'ENODATA' },
  { name: 'broken.example', code: 'ESERVFAIL' },
]
for (const { name, code } of failures)
  test(`a query for the MX of ${name} fails with ${code}`, async () => {
    await assert.rejects(resolver.resolveMx(name), { code })
  })

test("mailflow's resolver distinguishes secure, bogus and failed responses of the local DNS server", async () => {
  const { query } = createResolver([`127.0.0.1:${server.port}`])
  const proven = {
    kind: 'Found',
    records: ['127.0.0.12'],
    secure: true,
    name: 'proven.example',
    ttlSeconds: 1,
  }
  assert.deepEqual(await query('proven.example', 'A'), proven)
  assert.deepEqual(await query('proven.example', 'MX'), { kind: 'NoData', secure: true })
  assert.deepEqual(await query('forged.example', 'A'), { kind: 'Failed', code: 'ESERVFAIL', bogus: true })
  assert.deepEqual(await query('broken.example', 'A'), { kind: 'Failed', code: 'ESERVFAIL', bogus: false })
})

test('a port in use is reported with the option that sets it', async () => {
  await assert.rejects(startDnsServer({ names: {}, ports: {} }, server.port), {
    message: `port ${server.port} is already in use (--dns-port)`,
  })
})

async function exchangesOf(name: string): Promise<[number, string][]> {
  const records = await resolver.resolveMx(name)
  return records
    .map(({ priority, exchange }): [number, string] => [priority, exchange])
    .sort(([a], [b]) => a - b)
}
