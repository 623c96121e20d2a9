import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ResolveOptions, resolveTargets } from '../../../functions/validate-connector/resolve.ts'
import { maxHosts } from '../../../shared/connectors/validation.ts'
import type { SmartHost } from '../../../shared/contract/jobs.ts'
import { fakeResolver, type Zone } from '../../support/dns.ts'

const options = (zone: Zone, fields: Partial<ResolveOptions> = {}): ResolveOptions => ({
  resolver: fakeResolver(zone),
  privateNetworks: ['198.51.100.0/24'],
  random: () => 0,
  dane: false,
  signal: AbortSignal.timeout(10_000),
  ipv6: true,
  ...fields,
})

const zone: Zone = {
  mx: {
    'partner.example': [
      [20, 'mx2.partner.example'],
      [10, 'mx1.partner.example'],
    ],
  },
  a: { 'mx1.partner.example': ['192.0.2.1', '198.51.100.1'], 'mx2.partner.example': ['198.51.100.2'] },
  aaaa: { 'mx1.partner.example': ['2606:4700::1'], 'six.partner.example': ['2606:4700::6'] },
}

const byMx = { kind: 'Mx', domain: 'partner.example' } as const
const bySmartHosts = (...hosts: (string | SmartHost)[]) =>
  ({
    kind: 'SmartHosts',
    hosts: hosts.map((host) => (typeof host === 'string' ? { host, port: 25 } : host)),
  }) as const

describe('the addresses that a validation tries', () => {
  it('with route Mx are the permitted addresses of the MX hosts, best preference first, in one step', async () => {
    const [target, ...others] = await resolveTargets(byMx, options(zone))
    assert.equal(others.length, 0)
    assert.deepEqual(
      [target?.step.host, target?.step.succeeded, target?.step.detail],
      [
        'partner.example',
        true,
        'mx1.partner.example 198.51.100.1, mx1.partner.example 2606:4700::1, mx2.partner.example 198.51.100.2',
      ],
    )
    assert.deepEqual(
      target?.hops.map(({ ip }) => ip),
      ['198.51.100.1', '2606:4700::1', '198.51.100.2'],
    )
  })

  it('with smart hosts are all addresses of each smart host, in a step for each', async () => {
    const hosts = bySmartHosts('mx1.partner.example', '10.0.0.1', 'gone.partner.example')
    const targets = await resolveTargets(hosts, options(zone))
    assert.deepEqual(
      targets.map(({ step, hops }) => [step.host, step.succeeded, hops.map(({ ip }) => ip)]),
      [
        ['mx1.partner.example', true, ['192.0.2.1', '198.51.100.1', '2606:4700::1']],
        ['10.0.0.1', true, ['10.0.0.1']],
        ['gone.partner.example', false, []],
      ],
    )
    assert.equal(targets[1]?.step.detail, 'An IP address; no lookup needed')
  })

  it('without IPv6 are IPv4 addresses only, except for a host that has no IPv4 address', async () => {
    const hosts = bySmartHosts('mx1.partner.example', 'six.partner.example')
    const [dualStack, ipv6Only] = await resolveTargets(hosts, options(zone, { ipv6: false }))
    assert.deepEqual(
      dualStack?.hops.map(({ ip }) => ip),
      ['192.0.2.1', '198.51.100.1'],
    )
    assert.match(dualStack?.step.detail ?? '', /1 IPv6 addresses are skipped: this function has no IPv6$/)
    assert.deepEqual(
      ipv6Only?.hops.map(({ ip }) => ip),
      ['2606:4700::6'],
    )
  })

  it(`are at most ${maxHosts}; a step reports how many smart hosts were not tried`, async () => {
    const many = Array.from({ length: maxHosts + 5 }, (_, n) => `192.0.2.${n + 1}`)
    const targets = await resolveTargets(bySmartHosts(...many), options(zone))
    assert.equal(targets.flatMap(({ hops }) => hops).length, maxHosts)
    assert.equal(
      targets.at(-1)?.step.detail,
      'A validation tries at most 20 addresses; 5 smart hosts were not tried',
    )
    assert.equal(targets.at(-1)?.step.host, null)
  })

  it(`are at most ${maxHosts} also when three names have 27; a step reports how many addresses were not tried`, async () => {
    const addresses = (net: number) => Array.from({ length: 9 }, (_, n) => `198.51.100.${net + n}`)
    const a = { 'a.example': addresses(1), 'b.example': addresses(11), 'c.example': addresses(21) }
    const targets = await resolveTargets(bySmartHosts('a.example', 'b.example', 'c.example'), options({ a }))
    assert.deepEqual(
      targets.map(({ hops }) => hops.length),
      [9, 9, 2, 0],
    )
    assert.equal(
      targets.at(-1)?.step.detail,
      'A validation tries at most 20 addresses; 7 addresses were not tried',
    )
  })
})
