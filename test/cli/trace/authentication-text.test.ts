import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { authenticationText, tenantText } from '../../../cli/trace/authentication-text.ts'
import type { Authentication } from '../../../cli/trace/trace-entry.ts'

const passed: Authentication = {
  internal: null,
  spf: { result: 'softfail', domain: 'bank.example' },
  dkim: [
    { result: 'pass', domain: 'bank.example', selector: 's1', aligned: true },
    { result: 'fail', domain: 'list.example', selector: 'x', aligned: false },
  ],
  dmarc: { result: 'pass', fromDomain: 'bank.example', policy: 'reject', alignedBy: ['dkim'] },
  arc: { result: 'pass', sealer: 'list.example' },
}
const unchecked: Authentication = { internal: 'Own', spf: null, dkim: [], dmarc: null, arc: null }

const rows: [what: string, authentication: Authentication, lines: string[]][] = [
  [
    'all methods',
    passed,
    [
      'DMARC pass for bank.example (From:), aligned by DKIM, policy reject',
      'SPF softfail for bank.example',
      'DKIM pass for bank.example, selector s1, aligned',
      'DKIM fail for list.example, selector x, not aligned',
      'ARC pass, last sealed by list.example',
    ],
  ],
  [
    'a sender without records',
    {
      ...passed,
      spf: { result: 'none', domain: 'a\u001bb.example' },
      dkim: [],
      dmarc: { result: 'permerror', fromDomain: null, policy: null, alignedBy: [] },
      arc: { result: 'none', sealer: null },
    },
    [
      'DMARC permerror without a single domain in From:, no policy',
      'SPF none for a?b.example',
      'no DKIM signature',
    ],
  ],
  ['internal mail', unchecked, ['not checked: connector "Own" treats it as internal mail']],
]

describe('the trace of a message prints its authentication', () => {
  for (const [what, authentication, lines] of rows)
    test(`with ${what}`, () => assert.deepEqual(authenticationText(authentication), lines))

  test('and the tenant of Exchange Online', () => {
    assert.equal(
      tenantText({ tenantIds: ['72f9'], originatorOrganizations: ['ours.example'] }),
      'tenant id 72f9, organization ours.example',
    )
    assert.equal(tenantText({ tenantIds: [], originatorOrganizations: [] }), 'no tenant named')
  })
})
