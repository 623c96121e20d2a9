import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Role, RoleMapping } from '../../../shared/contract/roles.ts'
import { authorise, callerOf } from '../../../shared/http-api/caller.ts'
import type { Problem } from '../../../shared/http-api/problem.ts'
import { eventOf, issuer, signedIn, tokenOf } from '../../support/sign-in.ts'

const mapping: RoleMapping = {
  claim: 'groups',
  mapping: {
    'Help Desk': ['read', 'operate'],
    Mail: ['administer'],
    Auditors: ['audit'],
    ['toString' as string]: ['audit'],
  },
}

const rolesOf = (request: object, by: RoleMapping = mapping) => {
  const caller = callerOf(eventOf(request), by)
  return caller?.kind === 'TokenSubject' ? caller.roles : caller
}

describe('a token', () => {
  const rows: [title: string, claims: object, roles: Role[]][] = [
    ['a list of one value', { groups: ['Mail'] }, ['administer']],
    ['a value with a space in a list', { groups: ['Help Desk'] }, ['operate', 'read']],
    ['several values', { groups: ['Auditors', 'Mail', 'Auditors', 'Other'] }, ['administer', 'audit']],
    ['a text', { groups: 'Mail' }, ['administer']],
    ['a text with a space', { groups: 'Help Desk' }, ['operate', 'read']],
    ['a text that contains a value after a space', { groups: 'x Mail' }, []],
    ['a text that contains a value before a space', { groups: 'Mail x' }, []],
    ['an empty text', { groups: '' }, []],
    ['another letter case', { groups: ['mail'] }, []],
    ['a value that contains a value after a space', { groups: ['x Mail'] }, []],
    ['a value that contains a value before a space', { groups: ['Mail x'] }, []],
    ['a value in brackets', { groups: ['[Mail]'] }, []],
    ['a value that ends a list early', { groups: ['x] [Mail'] }, []],
    ['a value with a comma', { groups: ['x,Mail'] }, []],
    ['the name of a property of every object', { groups: ['constructor'] }, []],
    ['a mapped name of a property of every object', { groups: ['toString'] }, ['audit']],
    ['no claim', {}, []],
    ['the claim within another', { realm: { groups: ['Mail'] } }, []],
    ['null', { groups: null }, []],
    ['a number', { groups: 1 }, []],
    ['an object', { groups: { Mail: true } }, []],
    ['a list in a list', { groups: [['Mail']] }, []],
    ['a list with something other than a text', { groups: ['Mail', 1] }, []],
    ['no subject', { sub: undefined, groups: ['Mail'] }, []],
  ]
  for (const [title, claims, roles] of rows)
    test(`gives ${roles.join(' and ') || 'no role'} when the claim is: ${title}`, () =>
      assert.deepEqual(rolesOf(signedIn({ ...claims })), roles))

  for (const claim of ['cognito:groups', 'https://example.com/roles', 'a.b', 'scp'])
    test(`gives a role by the claim ${claim}, whose name is one key`, () =>
      assert.deepEqual(rolesOf(signedIn({ [claim]: ['Mail'] }), { ...mapping, claim }), ['administer']))

  for (const claim of ['scope', 'scp'])
    for (const [text, roles] of [
      ['Mail  Auditors', ['administer', 'audit']],
      ['Help Desk', []],
    ] as const)
      test(`gives ${roles.join(' and ') || 'no role'} by the claim ${claim} with the text "${text}", a list`, () =>
        assert.deepEqual(rolesOf(signedIn({ [claim]: text }), { ...mapping, claim }), roles))

  test('gives no role when the deployment maps no claim', () => {
    const caller = callerOf(eventOf(signedIn({ groups: ['Mail'] })), null)
    assert.deepEqual(caller?.kind === 'TokenSubject' && caller.roles, [])
  })
})

describe('roles are read only from the one token that was verified', () => {
  const verified = { iss: issuer, sub: 'ann', groups: ['Auditors'] }
  const administrator = tokenOf({ ...verified, groups: ['Mail'] })
  const base64 = (text: string) => Buffer.from(text).toString('base64url')
  const rows: [title: string, authorization: string | undefined][] = [
    ['no header', undefined],
    ['two headers, joined', `Bearer ${tokenOf(verified)},Bearer ${administrator}`],
    ['two headers, joined with a space', `Bearer ${tokenOf(verified)}, Bearer ${administrator}`],
    ['two tokens', `Bearer ${tokenOf(verified)} ${administrator}`],
    ['another scheme', `Basic ${administrator}`],
    ['the token of another subject', `Bearer ${tokenOf({ ...verified, sub: 'bob', groups: ['Mail'] })}`],
    ['the token of another issuer', `Bearer ${tokenOf({ ...verified, iss: 'x', groups: ['Mail'] })}`],
    ['a token without signature', `Bearer ${administrator.replace(/[^.]+$/, '')}`],
    ['two parts', `Bearer ${administrator.replace(/\.[^.]+$/, '')}`],
    ['four parts', `Bearer ${administrator}.a`],
    ['a payload that is no JSON', `Bearer a.${base64('groups')}.c`],
    ['a payload that is a list', `Bearer a.${base64(JSON.stringify([verified]))}.c`],
    ['a payload that is null', `Bearer a.${base64('null')}.c`],
  ]
  for (const [title, authorization] of rows)
    test(`${title}: no role`, () => {
      const { authorizer } = signedIn(verified)
      const headers = authorization === undefined ? {} : { authorization }
      assert.deepEqual(rolesOf({ headers, authorizer }), [])
    })

  test('the header may hold the token alone', () => {
    const { authorizer } = signedIn(verified)
    assert.deepEqual(rolesOf({ headers: { authorization: tokenOf(verified) }, authorizer }), ['audit'])
  })
})

describe('authorise', () => {
  const iam = { userArn: 'arn:aws:sts::123456789012:assumed-role/robot/1' }
  const { authorizer, headers } = signedIn({ groups: ['Mail'] })
  const refused: [title: string, request: { headers?: object; authorizer?: object }][] = [
    ['without an authorizer', {}],
    ['with an empty authorizer', { authorizer: {} }],
    ['with a token and without an authorizer', { headers }],
    ['with the context of a Lambda authorizer', { authorizer: { lambda: { role: 'administer' } }, headers }],
    ['with a principal without a name', { authorizer: { iam: {} } }],
    ['with both contexts', { authorizer: { ...authorizer, iam }, headers }],
    ['with claims that are no object', { authorizer: { jwt: { claims: 'ann' } }, headers }],
  ]
  for (const [title, request] of refused)
    test(`refuses a request ${title}, even for the role read`, () =>
      assert.throws(() => authorise(eventOf(request), 'read', mapping), { status: 403 }))

  test('allows every route to an IAM principal, because IAM has decided', () =>
    assert.equal(authorise(eventOf({ authorizer: { iam } }), 'administer', null).name, iam.userArn))

  const rows: [groups: string[], needed: Role, detail: string | null][] = [
    [['Mail'], 'administer', null],
    [['Help Desk'], 'operate', null],
    [
      ['Help Desk'],
      'administer',
      'This request needs the role administer. You have the roles operate and read.',
    ],
    [['Auditors'], 'operate', 'This request needs the role operate. You have the role audit.'],
    [['Others'], 'read', 'This request needs the role read. You have no role.'],
  ]
  for (const [groups, needed, detail] of rows)
    test(`${detail === null ? 'allows' : 'refuses'} a route of the role ${needed} to a person in ${groups.join()}`, () => {
      const run = () => authorise(eventOf(signedIn({ groups })), needed, mapping)
      if (detail === null) return assert.equal(run().name, 'ann')
      assert.throws(run, ({ status, message }: Problem) => status === 403 && message === detail)
    })
})
