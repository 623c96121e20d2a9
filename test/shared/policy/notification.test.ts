import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DsnKind } from '../../../shared/contract/jobs.ts'
import type { Recipient } from '../../../shared/contract/message.ts'
import { shouldNotifySender, successDsnKind } from '../../../shared/policy/notification.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'

describe('a sender other than <> gets DSNs', () => {
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
    test(`of these kinds ${notify ? `with NOTIFY=${notify}` : 'without NOTIFY'}: ${kinds.replaceAll(' ', ', ') || 'none'}`, () => {
      assert.equal(dsnKinds('a@ours.example', notify), kinds)
      assert.equal(dsnKinds('', notify), '', 'the sender <> gets no DSN')
    })
})

describe('after an attempt with a requested success DSN', () => {
  const delivered = (dsnPassedOn?: boolean) =>
    recipient({
      lastAttempt: attempt({ outcome: 'Delivered', ...(dsnPassedOn === undefined ? {} : { dsnPassedOn }) }),
    })
  const rows: [who: string, of: Recipient, kept: boolean, notice: string | null][] = [
    ['a delivery to a next hop with the DSN extension causes no DSN', delivered(true), false, null],
    [
      'a delivery to a next hop without the DSN extension causes a relayed DSN',
      delivered(false),
      false,
      'relayed',
    ],
    [
      'a delivery to a next hop such as SES, whose extensions are unknown, causes a relayed DSN',
      delivered(),
      false,
      'relayed',
    ],
    ['a report on TLS that mailflow stores causes a delivered DSN', delivered(), true, 'delivered'],
    ['a failed attempt causes no DSN', recipient({ lastAttempt: attempt() }), false, null],
    ['a recipient without an attempt causes no DSN', recipient(), true, null],
  ]
  for (const [title, of, isFinalDestination, dsnKind] of rows)
    test(title, () => assert.equal(successDsnKind(of, isFinalDestination), dsnKind))
})
