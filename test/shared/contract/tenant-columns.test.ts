import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExchangeOnlineFields } from '../../../shared/contract/authentication.ts'
import { tenantColumns, tenantFields } from '../../../shared/contract/tenant-columns.ts'

const rows: [name: string, fields: ExchangeOnlineFields, read?: Partial<ExchangeOnlineFields>][] = [
  ['no field', { tenantIds: [], originatorOrganizations: [], alignedSignatures: null }],
  ['no signature', { tenantIds: [], originatorOrganizations: [], alignedSignatures: [] }],
  [
    'two values of each',
    {
      tenantIds: ['72f9', '0000'],
      originatorOrganizations: ['ours.example', 'theirs.example'],
      alignedSignatures: ['ours.example', 'theirs.example'],
    },
  ],
  [
    'an empty value and one with a space, which name no tenant in the columns either',
    { tenantIds: [''], originatorOrganizations: ['unusable field'], alignedSignatures: null },
    { tenantIds: ['%'], originatorOrganizations: ['unusable%20field'] },
  ],
]
for (const [name, fields, read] of rows)
  test(`the columns of Exchange Online hold ${name}`, () =>
    assert.deepEqual(tenantFields(tenantColumns(fields)), { ...fields, ...read }))

test('without the columns, the fields were not read', () => assert.equal(tenantFields({}), null))
