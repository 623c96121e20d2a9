import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DsnKind } from '../../../shared/contract/jobs.ts'
import type { Recipient } from '../../../shared/contract/message.ts'
import { isToldOf, noticeOfSuccess } from '../../../shared/policy/notification.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'

describe('the sender is told of', () => {
  const rows: [notify: Recipient['notify'], kinds: string][] = [
    [null, 'failed delayed'],
    [['NEVER'], ''],
    [['FAILURE'], 'failed'],
    [['DELAY'], 'delayed'],
    [['SUCCESS'], 'relayed delivered'],
    [['SUCCESS', 'FAILURE'], 'failed relayed delivered'],
    [['FAILURE', 'DELAY'], 'failed delayed'],
    [['SUCCESS', 'DELAY'], 'delayed relayed delivered'],
    [['SUCCESS', 'FAILURE', 'DELAY'], 'failed delayed relayed delivered'],
  ]
  const toldOf = (mailFrom: string, notify: Recipient['notify']) =>
    DsnKind.options.filter((kind) => isToldOf(kind, message({ mailFrom }), recipient({ notify }))).join(' ')
  for (const [notify, kinds] of rows)
    test(`${kinds || 'nothing'} by NOTIFY=${notify ?? ''}`, () => {
      assert.equal(toldOf('a@ours.example', notify), kinds)
      assert.equal(toldOf('', notify), '', 'nobody answers <>')
    })
})

describe('of a message that was taken', () => {
  const taken = (dsnPassedOn?: boolean) =>
    recipient({
      lastAttempt: attempt({ outcome: 'Delivered', ...(dsnPassedOn === undefined ? {} : { dsnPassedOn }) }),
    })
  const rows: [who: string, of: Recipient, kept: boolean, notice: string | null][] = [
    ['a next hop that knows DSN tells', taken(true), false, null],
    ['one that does not leaves it to be said that it was handed on', taken(false), false, 'relayed'],
    ['one of whom nothing is known, as SES, does too', taken(), false, 'relayed'],
    ['what is kept here is delivered', taken(), true, 'delivered'],
    ['nothing is said before it was', recipient({ lastAttempt: attempt() }), false, null],
    ['nothing is said before it was tried', recipient(), true, null],
  ]
  for (const [who, of, kept, notice] of rows) test(who, () => assert.equal(noticeOfSuccess(of, kept), notice))
})
