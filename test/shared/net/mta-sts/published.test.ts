/** Parses the published policy with the parser for other domains' policies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicy } from '../../../../shared/net/mta-sts/policy.ts'
import {
  formatPolicy,
  formatPolicyRecord,
  type PublishedPolicy,
} from '../../../../shared/net/mta-sts/published.ts'
import { parseRecordId } from '../../../../shared/net/mta-sts/record.ts'

const policy: PublishedPolicy = { mode: 'enforce', mxHosts: ['mx.ours.example'], maxAgeSeconds: 604_800 }

test('formatPolicy writes a policy in the format of RFC 8461', () => {
  assert.equal(
    formatPolicy(policy).text,
    'version: STSv1\r\nmode: enforce\r\nmx: mx.ours.example\r\nmax_age: 604800\r\n',
  )
})

const policies: PublishedPolicy[] = [
  policy,
  { ...policy, mode: 'testing', mxHosts: ['mx1.ours.example', 'mx2.ours.example'] },
  { ...policy, mode: 'none', mxHosts: [], maxAgeSeconds: 86_400 },
  { ...policy, maxAgeSeconds: 31_557_600 },
]

for (const each of policies)
  test(`parsePolicy and parseRecordId read the published policy and record of ${JSON.stringify(each)}`, () => {
    const { text, id } = formatPolicy(each)
    const { mode, mxHosts: mx, maxAgeSeconds } = each
    assert.deepEqual(parsePolicy(Buffer.from(text)), {
      kind: 'Policy',
      policy: { mode, mx, maxAge: maxAgeSeconds },
    })
    assert.equal(parseRecordId([formatPolicyRecord({ id })]), id)
  })

test('a published policy has another id for other settings, and the same id for its hosts in another order', () => {
  const ids = policies.map((each) => formatPolicy(each).id)
  assert.equal(new Set(ids).size, ids.length)
  const hosts = ['b.ours.example', 'a.ours.example', 'b.ours.example']
  assert.deepEqual(
    formatPolicy({ ...policy, mxHosts: hosts }),
    formatPolicy({ ...policy, mxHosts: ['a.ours.example', 'b.ours.example'] }),
  )
})
