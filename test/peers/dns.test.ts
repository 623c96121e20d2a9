/** `mailflow dns` with real answers: zones that Knot DNS serves, one of them signed, resolved and validated by Unbound. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { RecordFinding } from '../../shared/domain-records/findings/record-finding.ts'
import { createGatewayCertificate } from '../support/cli/dns-setup.ts'
import { mailflow, startAnsweringServer } from '../support/cli/mailflow.ts'
import { missing } from '../support/peers/peers.ts'
import { type NameServers, signedZone, startNameServers, unsignedZone } from '../support/peers/signed-zone.ts'
import { createPki } from '../support/pki.ts'

const skip =
  missing('knotd', 'apt-get install knot') ||
  missing('kzonesign', 'apt-get install knot-dnssecutils') ||
  missing('unbound', 'apt-get install unbound')

const hosts = ['mx1', 'mx2', 'mx3']
let nameServers: NameServers
let api: Awaited<ReturnType<typeof startAnsweringServer>>

/** A key of this size needs two strings in its record. */
const dkimKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'der' })
  .toString('base64')

const mxRecords = hosts.map((host, index) => `@ MX ${10 * (index + 1)} ${host}`)
const addresses = hosts.map((host) => `${host} A 127.0.0.1`)

/** The records of a zone that has everything. */
const complete = [
  ...mxRecords,
  ...addresses,
  ...hosts.map((host) => `${host} AAAA ::1`),
  '@ CAA 0 issue "letsencrypt.org; validationmethods=dns-01"',
  '@ CAA 0 issue "amazon.com"',
  '@ CAA 0 iodef "mailto:hostmaster@signed.example"',
  'mx3 CAA 0 issue ";"',
  '@ TXT "v=spf1 -all"',
  '_dmarc TXT "v=DMARC1; p=quarantine; sp=reject; " "rua=mailto:dmarc@signed.example"',
  `s1._domainkey TXT "v=DKIM1; k=rsa; p=${dkimKey.slice(0, 200)}" "${dkimKey.slice(200)}"`,
  'old._domainkey TXT "v=DKIM1; p="',
  'ses._domainkey CNAME ses.dkim.elsewhere',
  `ses.dkim.elsewhere TXT "p=${dkimKey.slice(0, 200)}" "${dkimKey.slice(200)}"`,
  'sub MX 10 mx1',
]

before(
  async () => {
    if (skip) return
    const issuer = await createPki("R13, O=Let's Encrypt")
    const names = hosts.map((host) => `${host}.${signedZone}`)
    const { published } = await createGatewayCertificate(issuer, { names })
    const body = JSON.stringify({ hostname: names[0], certificates: [published] })
    api = await startAnsweringServer(({ url = '' }) =>
      url === '/certificates' ? { body } : { status: 404, body: '{}' },
    )
    const resolver = 'dns.resolver.example'
    nameServers = await startNameServers(
      { signed: complete, unsigned: [...mxRecords, ...addresses], forge: (line) => line },
      { ...(await (await createPki()).issue({ names: [resolver] })), name: resolver },
    )
  },
  { timeout: 120_000 },
)

after(async () => {
  api?.stop()
  await nameServers?.stop()
})

async function check(domain: string, zone: string, ...args: string[]): Promise<RecordFinding[]> {
  const hostOptions = hosts.flatMap((host) => ['--host', `${host}.${zone}`])
  const { out, err } = await mailflow(
    ['dns', domain, ...hostOptions, ...args, '--json', '--dns-server', nameServers.explaining],
    { env: { MAILFLOW_API: api.url } },
  )
  assert.equal(err, '')
  return JSON.parse(out).checks
}

const summary = (findings: readonly RecordFinding[], ...records: string[]): string[] =>
  findings
    .filter(({ record }) => records.includes(record))
    .map(({ record, name, result }) => `${record} ${name} ${result}`)

describe('`mailflow dns` with zones that Knot serves and Unbound resolves', {
  skip,
  timeout: 120_000,
}, () => {
  it('finds CAA, IPv6, DNSSEC, DKIM and DMARC in the signed zone', async () => {
    const findings = await check(signedZone, signedZone, '--dkim-selector', 's1', '--dkim-selector', 'ses')
    assert.deepEqual(summary(findings, 'CAA', 'IPv6', 'DNSSEC', 'DKIM', 'DMARC'), [
      'IPv6 mx1.signed.example, mx2.signed.example, mx3.signed.example OK',
      'CAA signed.example OK',
      'CAA mx3.signed.example DIFFERENT',
      'DKIM s1._domainkey.signed.example OK',
      'DKIM ses._domainkey.signed.example OK',
      'DMARC _dmarc.signed.example OK',
      'DNSSEC signed.example OK',
    ])
    const published = findings.find(({ record }) => record === 'CAA')?.published
    assert.deepEqual(published?.toSorted(), [
      '0 iodef "mailto:hostmaster@signed.example"',
      '0 issue "amazon.com"',
      '0 issue "letsencrypt.org; validationmethods=dns-01"',
    ])
  })

  it('finds a revoked key, and a key that does not exist', async () => {
    const findings = await check(signedZone, signedZone, '--dkim-selector', 'old', '--dkim-selector', 'none')
    assert.deepEqual(summary(findings, 'DKIM'), [
      'DKIM old._domainkey.signed.example DIFFERENT',
      'DKIM none._domainkey.signed.example MISSING',
    ])
  })

  it('knows that the signed zone has keys without their names, and the other zone has none', async () => {
    assert.deepEqual(summary(await check(signedZone, signedZone), 'DKIM'), [
      'DKIM _domainkey.signed.example OK',
    ])
    assert.deepEqual(summary(await check(unsignedZone, unsignedZone), 'DKIM'), [
      'DKIM _domainkey.unsigned.example MISSING',
    ])
  })

  it('applies the DMARC policy of the organisational domain to a subdomain', async () => {
    const findings = await check(`sub.${signedZone}`, signedZone)
    const dmarc = findings.find(({ record }) => record === 'DMARC')
    assert.equal(dmarc?.result, 'OK')
    assert.match(
      dmarc?.says.join(' ') ?? '',
      /^The record of signed\.example applies, with the policy reject/,
    )
  })

  it('finds nothing in the unsigned zone, and advises', async () => {
    const findings = await check(unsignedZone, unsignedZone)
    assert.deepEqual(summary(findings, 'CAA', 'IPv6', 'DNSSEC', 'DMARC'), [
      'IPv6 mx1.unsigned.example, mx2.unsigned.example, mx3.unsigned.example ADVICE',
      'CAA unsigned.example ADVICE',
      'DMARC _dmarc.unsigned.example MISSING',
      'DNSSEC unsigned.example UNKNOWN',
    ])
  })
})
