import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DsnKind } from '../../../shared/contract/jobs.ts'
import type { Recipient } from '../../../shared/contract/message.ts'
import { shouldNotifySender, successDsnKind } from '../../../shared/policy/notification.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'

describe('the sender gets a DSN', () => {
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
  const dsnKinds = (mailFrom: string, notify: Recipient['notify']) =>
    DsnKind.options
      .filter((kind) => shouldNotifySender(kind, message({ mailFrom }), recipient({ notify })))
      .join(' ')
  for (const [notify, kinds] of rows)
    test(`for ${kinds || 'nothing'} with NOTIFY=${notify ?? ''}`, () => {
      assert.equal(dsnKinds('a@ours.example', notify), kinds)
      assert.equal(dsnKinds('', notify), '', 'the sender <> gets no DSN')
    })
})

describe('after delivery', () => {
  const delivered = (dsnPassedOn?: boolean) =>
    recipient({
      lastAttempt: attempt({ outcome: 'Delivered', ...(dsnPassedOn === undefined ? {} : { dsnPassedOn }) }),
    })
  const rows: [who: string, of: Recipient, kept: boolean, notice: string | null][] = [
    ['a next hop with the DSN extension sends the DSN itself', delivered(true), false, null],
    ['a next hop without the extension causes a relayed DSN', delivered(false), false, 'relayed'],
    [
      'a next hop such as SES, which does not report its extensions, causes a relayed DSN',
      delivered(),
      false,
      'relayed',
    ],
    ['a report that mailflow stores causes a delivered DSN', delivered(), true, 'delivered'],
    ['a failed attempt causes no success DSN', recipient({ lastAttempt: attempt() }), false, null],
    ['a recipient without an attempt causes no success DSN', recipient(), true, null],
  ]
  for (const [title, of, isFinalDestination, dsnKind] of rows)
    test(title, () => assert.equal(successDsnKind(of, isFinalDestination), dsnKind))
})
