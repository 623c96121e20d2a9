import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { IpRanges } from '../../../shared/connectors/ip-ranges.ts'
import type { AcceptedDomain } from '../../../shared/connectors/schema.ts'
import { LayeredMap } from '../../../shared/policy/layered-map.ts'
import {
  type ConnectorSet,
  changeSnapshot,
  compileSnapshot,
  connectorSetOf,
  type ItemChange,
  type Snapshot,
} from '../../../shared/policy/snapshot.ts'
import { anyInbound, anyIp, anyOutbound, domains } from '../../support/policy/arbitrary.ts'

const someId = fc.constantFrom('A', 'B', 'C', 'D', 'E', 'F')
const orDeleted = <T>(item: fc.Arbitrary<T>) => fc.option(item, { freq: 3 })

const anyDomain: fc.Arbitrary<Partial<AcceptedDomain>> = fc.record({
  createdAt: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
  recipients: fc.constantFrom('Any', 'List', 'SmtpCallout'),
  recipientList: fc.option(
    fc.record({
      version: fc.constantFrom('01KF0CVZT0ABCDEFGHJKMNPQRS', '01KF0CVZT1ABCDEFGHJKMNPQRS'),
      addresses: fc.constant(1),
      updatedAt: fc.constant('2026-01-01T00:00:00.000Z'),
    }),
    { nil: undefined },
  ) as fc.Arbitrary<AcceptedDomain['recipientList'] & object>,
})

const anyChange: fc.Arbitrary<ItemChange> = fc.oneof(
  fc
    .tuple(someId, orDeleted(anyInbound))
    .map(
      ([key, item]): ItemChange => ({ kind: 'inbound-connector', key, item: item && { ...item, id: key } }),
    ),
  fc
    .tuple(someId, orDeleted(anyOutbound))
    .map(
      ([key, item]): ItemChange => ({ kind: 'outbound-connector', key, item: item && { ...item, id: key } }),
    ),
  fc
    .tuple(fc.constantFrom(...domains), orDeleted(anyDomain))
    .map(
      ([key, item]): ItemChange => ({ kind: 'accepted-domain', key, item: item && { ...item, domain: key } }),
    ),
)

/** The connectors after changes, by a plain implementation. */
function connectorsAfter(version: number, changes: readonly ItemChange[]): ConnectorSet {
  const ofKind = <T>(kind: ItemChange['kind']): T[] => {
    const items = new Map<string, unknown>()
    for (const { key, item } of changes.filter((change) => change.kind === kind)) {
      if (item === null) items.delete(key)
      else items.set(key, item)
    }
    return [...items.values()] as T[]
  }
  return {
    version,
    inbound: ofKind('inbound-connector'),
    outbound: ofKind('outbound-connector'),
    acceptedDomains: ofKind('accepted-domain'),
  }
}

const ips = ['192.0.2.1', '192.0.2.200', '192.0.3.1', '203.0.113.1', '2001:db8::1', '2001:db9::1']

/** Everything that a snapshot holds, as plain values: an index that keeps what it should not differs. */
function contentOf(value: unknown): unknown {
  if (value instanceof LayeredMap)
    return [...value.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, contentOf(item)])
  if (value instanceof IpRanges)
    return ips.map((ip) => [...value.valuesFor(ip)].map((rule) => JSON.stringify(contentOf(rule))).sort())
  if (value instanceof Set) return [...value]
  if (Array.isArray(value)) return value.map(contentOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, contentOf(item)]))
}

describe('a snapshot after changes', () => {
  test('equals the one that is compiled from the connectors, after each of many changes', () =>
    fc.assert(
      fc.property(fc.array(fc.array(anyChange, { maxLength: 4 }), { maxLength: 12 }), (batches) => {
        let snapshot: Snapshot = compileSnapshot({
          version: 0,
          inbound: [],
          outbound: [],
          acceptedDomains: [],
        })
        const earlier: { snapshot: Snapshot; content: unknown }[] = []
        for (const [index] of batches.entries()) {
          earlier.push({ snapshot, content: contentOf(snapshot) })
          snapshot = changeSnapshot(snapshot, index + 1, batches[index] ?? [])
          const all = connectorsAfter(index + 1, batches.slice(0, index + 1).flat())
          assert.deepEqual(contentOf(snapshot), contentOf(compileSnapshot(all)))
        }
        for (const { snapshot, content } of earlier)
          assert.deepEqual(contentOf(snapshot), content, 'an earlier snapshot stays as it is')
      }),
      { numRuns: 150 },
    ))

  test('has the connectors and domains from which it was made', () =>
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 12 }), (changes) => {
        const empty = compileSnapshot({ version: 0, inbound: [], outbound: [], acceptedDomains: [] })
        const sortedById = ({ inbound, outbound, acceptedDomains, version }: ConnectorSet) => ({
          version,
          inbound: inbound.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
          outbound: outbound.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
          acceptedDomains: acceptedDomains.toSorted((a, b) => (a.domain < b.domain ? -1 : 1)),
        })
        assert.deepEqual(
          connectorSetOf(changeSnapshot(empty, 7, changes)),
          sortedById(connectorsAfter(7, changes)),
        )
      }),
      { numRuns: 100 },
    ))
})

test('a layered map equals a plain map after thousands of edits, and its earlier versions stay as they are', () => {
  let layered = new LayeredMap<number>()
  const plain = new Map<string, number>()
  const earlier: { layered: LayeredMap<number>; plain: Map<string, number> }[] = []
  for (let n = 0; n < 6000; n++) {
    const key = `k${(n * 7919) % 2500}`
    const value = n % 5 === 4 ? undefined : n
    layered = layered.with(new Map([[key, value]]))
    if (value === undefined) plain.delete(key)
    else plain.set(key, value)
    if (n % 500 === 0) earlier.push({ layered, plain: new Map(plain) })
  }
  for (const version of [...earlier, { layered, plain }]) {
    assert.deepEqual(new Map(version.layered.entries()), version.plain)
    for (let key = 0; key < 2500; key += 13)
      assert.equal(version.layered.get(`k${key}`), version.plain.get(`k${key}`))
  }
})

test('address ranges after changes equal those made from their entries', () => {
  const range = fc.constantFrom(
    '192.0.2.1',
    '192.0.2.0/24',
    '192.0.2.128/25',
    '192.0.0.0/16',
    '0.0.0.0/0',
    '::ffff:192.0.2.0/121',
    '2001:db8::/32',
    '::/0',
  )
  const entries = fc.array(fc.tuple(range, fc.integer({ min: 1, max: 4 })), { maxLength: 8 })
  fc.assert(
    fc.property(entries, entries, fc.array(fc.boolean()), anyIp, (first, added, isRemoved, ip) => {
      const ranges = new IpRanges(first)
      const before = [...ranges.valuesFor(ip)]
      const removed = first.filter((_, index) => isRemoved[index])
      // An entry that is there twice leaves with all its copies.
      const left = first.filter(([a, value]) => !removed.some(([b, other]) => a === b && value === other))
      const changed = ranges.changed(removed, added)
      const expected = new IpRanges([...left, ...added])
      assert.deepEqual([...changed.valuesFor(ip)], [...expected.valuesFor(ip)])
      assert.deepEqual(changed.addressCounts(), expected.addressCounts())
      assert.deepEqual([...ranges.valuesFor(ip)], before)
    }),
    { numRuns: 300 },
  )
})
