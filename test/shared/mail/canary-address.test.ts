import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ulid } from 'ulid'
import { canaryAddress, canaryIdOf, canarySentAt, isCanaryTime } from '../../../shared/mail/canary-address.ts'

const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const hostname = 'mail.ours.example'
const sentAt = canarySentAt(id)

test('a canary was sent at the time of its ULID', () => {
  const time = Date.parse('2026-11-30T12:00:00.123Z')
  assert.equal(canarySentAt(ulid(time)).getTime(), time)
})

for (const [title, address, expected] of [
  ['with its id', canaryAddress(id, hostname), id],
  ['in other letters', `Canary+${id.toLowerCase()}@MAIL.Ours.Example`, id],
  ['without an id', `canary@${hostname}`, null],
  ['with an id that is no ULID', `canary+${id.slice(1)}U@${hostname}`, null],
  ['with more than an id', `canary+${id}0@${hostname}`, null],
  ['of another mailbox', `postmaster+${id}@${hostname}`, null],
  ['of another domain', `canary+${id}@ours.example`, null],
  ['of a domain that ends with the host name', `canary+${id}@x.${hostname}`, null],
  ['with a second @', `canary+${id}@x@${hostname}`, null],
  ['without a domain', `canary+${id}`, null],
] as const)
  test(`an address ${title} is ${expected === null ? 'not ' : ''}the address of a canary`, () =>
    assert.equal(canaryIdOf(address, hostname), expected))

for (const [seconds, expected] of [
  [-6, false],
  [-5, true],
  [0, true],
  [60, true],
  [61, false],
  [86_400, false],
] as const)
  test(`${seconds} seconds after a canary was sent it may ${expected ? '' : 'not '}arrive at the ingress`, () =>
    assert.equal(isCanaryTime(id, new Date(sentAt.getTime() + seconds * 1000)), expected))
