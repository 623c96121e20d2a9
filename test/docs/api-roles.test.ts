import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Role } from '../../shared/contract/roles.ts'
import { allowedRoles } from '../support/api-roles.ts'
import { isAllowed } from '../support/iam-policy.ts'
import { operations } from './api.ts'

const file = readFileSync(join(import.meta.dirname, '../../docs/generated/api-roles.md'), 'utf8')

/** The policy on the page, also if the page refers to that of another role. */
function policyOf(role: string): string {
  const section = new RegExp(`^### ${role}\\n([\\s\\S]*?)(?=^#|$(?![\\s\\S]))`, 'm').exec(file)?.[1] ?? ''
  const [, other] = /^The policy of `(\w+)`\.$/m.exec(section) ?? []
  return other === undefined ? (/```json\n([\s\S]*?)```/.exec(section)?.[1] ?? '') : policyOf(other)
}

/** Values of path parameters; IAM's wildcards match slashes, and a client may write any path. */
const parameters = [
  '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  'contoso.example',
  'retry',
  'release%2Fretry',
  'b%C3%BCro',
  'POST',
]

const api = 'arn:aws:execute-api:REGION:ACCOUNT:API'

test('every route of the API is in the table of roles that is written by hand', () => {
  const routes = operations.map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual(routes.sort(), Object.keys(allowedRoles).sort())
})

describe('the IAM policy on the page', () => {
  for (const role of Role.options)
    test(`of the role ${role} allows exactly the requests of the role`, () => {
      const policy = JSON.parse(policyOf(role))
      const results = Object.keys(allowedRoles).map((route) => {
        const [method, path = ''] = route.split(' ')
        const decisions = parameters.map((value) =>
          isAllowed(
            policy,
            'execute-api:Invoke',
            `${api}/$default/${method}${path.replace(/\{\w+\}/, value)}`,
          ),
        )
        return [route, [...new Set(decisions)]]
      })
      const expected = Object.entries(allowedRoles).map(([route, roles]) => [route, [roles.includes(role)]])
      assert.deepEqual(results, expected)
    })

  test('allows no other action, API or stage', () => {
    const policy = JSON.parse(policyOf('administer'))
    assert.equal(isAllowed(policy, 'execute-api:Invoke', `${api}/$default/GET/messages`), true)
    assert.equal(isAllowed(policy, 'execute-api:ManageConnections', `${api}/$default/GET/messages`), false)
    assert.equal(isAllowed(policy, 'execute-api:Invoke', `${api}2/$default/GET/messages`), false)
    assert.equal(isAllowed(policy, 'execute-api:Invoke', `${api}/other/GET/messages`), false)
  })

  test('fits into a managed policy, 6,144 characters without white space, with the longest names', () => {
    const policy = policyOf('administer')
      .replaceAll(/\s/g, '')
      .replaceAll('REGION', 'ap-southeast-4')
      .replaceAll('ACCOUNT', '1'.repeat(12))
      .replaceAll('API', 'a'.repeat(10))
    assert.ok(policy.length <= 6_144, `${policy.length} characters`)
  })
})
