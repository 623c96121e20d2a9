import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadShownBy } from '../../../functions/deliver-message/destination-load.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { timedOutReply } from '../../../shared/net/smtp-faults.ts'
import { attempt } from '../../support/fixtures.ts'

const failed = (code: number, enhanced: string, fields: Partial<Attempt> = {}) =>
  attempt({
    outcome: code < 500 ? 'TemporaryFailure' : 'PermanentFailure',
    host: 'mx.partner.example',
    reply: { code, enhanced, text: 'no' },
    ...fields,
  })
const accepted = attempt({ outcome: 'Delivered', host: 'mx.partner.example' })

describe('the load of a destination', () => {
  const rows: [what: string, attempts: Attempt[], load: ReturnType<typeof loadShownBy>][] = [
    ['accepts a message', [accepted], 'Accepted'],
    ['closes the connection with 421', [failed(421, '')], 'Overloaded'],
    ['closes the connection with 421 4.2.0', [failed(421, '4.2.0')], 'Overloaded'],
    ['answers 451 without an enhanced code', [failed(451, '')], 'Overloaded'],
    ['answers 452 4.3.1', [failed(452, '4.3.1')], 'Overloaded'],
    ['answers 451 4.7.0: too many connections', [failed(451, '4.7.0')], 'Overloaded'],
    ['does not answer', [failed(timedOutReply.code, timedOutReply.enhanced)], 'Overloaded'],
    ['is overloaded for one of two recipients', [accepted, failed(451, '4.3.0')], 'Overloaded'],
    ['has a full mailbox', [failed(452, '4.2.2')], null],
    ['defers one recipient of two by greylisting', [accepted, failed(450, '4.2.0')], 'Accepted'],
    ['refuses a recipient', [failed(550, '5.1.1')], null],
    ['does not meet the TLS requirement', [failed(451, '4.7.5', { outcome: 'TlsNotMet' })], null],
    ['is not found in DNS', [failed(451, '4.4.3', { host: null })], null],
    ['was not tried', [], null],
  ]
  for (const [what, attempts, load] of rows)
    it(`is ${load} when the destination ${what}`, () => assert.equal(loadShownBy(attempts), load))
})
