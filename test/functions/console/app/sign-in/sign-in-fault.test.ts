import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthorizationResponseError } from 'oauth4webapi'
import { SignInFault, signInFault } from '../../../../../functions/console/app/sign-in/sign-in-fault.ts'

const issuer = 'https://login.example.net/tenant/'
const textOf = (error: unknown) => signInFault(error, issuer).message

test('a fault of the sign-in names the provider and says what to do', () => {
  assert.match(
    textOf(new TypeError('Failed to fetch')),
    /^The identity provider login\.example\.net cannot be/,
  )
  const refusal = new URLSearchParams({ error: 'access_denied', error_description: 'Not in the group' })
  assert.equal(
    textOf(new AuthorizationResponseError('refused', { cause: refusal })),
    'The identity provider login.example.net refused: Not in the group.',
  )
  assert.match(textOf(new Error('unexpected issuer')), /is not valid: unexpected issuer\. Try again\.$/)
  assert.equal(textOf(new SignInFault('Sign out there.')), 'Sign out there.')
})
