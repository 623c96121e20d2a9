import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StandingRecorder, standingShownBy } from '../../../functions/deliver-message/record-standing.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import type { Attempt } from '../../../shared/contract/message.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { attempt, message, recipient } from '../../support/fixtures.ts'

const job = (fields: Partial<DeliveryJob> = {}): DeliveryJob => ({
  message: message({ mailFrom: 'a@ours.example' }),
  recipients: [],
  destination: 'new.example',
  route: { kind: 'Mx', domain: 'new.example' },
  tls: opportunistic,
  attempt: 1,
  ...fields,
})
const made = (...attempts: Partial<Attempt>[]) =>
  attempts.map((fields) => ({ recipient: recipient({ address: 'b@new.example' }), attempt: attempt(fields) }))
const accepted: Partial<Attempt> = { outcome: 'Delivered', durationMs: 400 }
const failed: Partial<Attempt> = { outcome: 'TemporaryFailure', durationMs: 400 }
const timedOut: Partial<Attempt> = { ...failed, durationMs: 60_000 }

describe('an attempt shows', () => {
  const rows: [shown: string | null, title: string, DeliveryJob, ReturnType<typeof made>][] = [
    ['Proof', 'that the server accepted the message', job(), made(accepted)],
    ['Proof', 'that the server accepted one recipient of two', job(), made(failed, accepted)],
    [
      null,
      'that the server accepted the message after half a minute',
      job(),
      made({ ...accepted, durationMs: 30_000 }),
    ],
    [null, 'that the server accepted a DSN', job({ message: message({ mailFrom: '' }) }), made(accepted)],
    [null, 'that the server deferred the message soon', job(), made(failed)],
    ['SlowFailure', 'that the server failed after a minute', job(), made(timedOut)],
    [
      'SlowFailure',
      'that the server failed slowly for a DSN',
      job({ message: message({ mailFrom: '' }) }),
      made(timedOut),
    ],
    [null, 'nothing when no recipient was tried', job(), []],
    [null, 'nothing about SES', job({ route: { kind: 'Ses' } }), made(accepted)],
  ]
  for (const [shown, title, delivery, attempts] of rows)
    it(`${shown} when it shows ${title}`, () => assert.equal(standingShownBy(delivery, attempts), shown))
})

describe('the recorder of standings', () => {
  const hoursLater = (hours: number) => new Date(Date.parse('2026-11-25T00:00:00Z') + hours * 3_600_000)
  function recorder() {
    const writes: string[] = []
    const errors: Error[] = []
    const state = { fails: false }
    const write = (name: string) => async (domain: string) => {
      if (state.fails) throw new Error('the table is away')
      writes.push(`${name} ${domain}`)
    }
    const standings = { recordProof: write('proof'), recordSlowFailure: write('slow') }
    return { writes, errors, state, it: new StandingRecorder(standings, (error) => errors.push(error)) }
  }

  it('writes a proof once in twelve hours, not for each message', async () => {
    const { writes, it: standings } = recorder()
    for (const hours of [0, 1, 11]) await standings.record(job(), made(accepted), hoursLater(hours))
    assert.equal(writes.length, 1)
    await standings.record(job(), made(accepted), hoursLater(12))
    assert.equal(writes.length, 2)
  })

  it('writes a proof at once for a job whose domain was not proven, or was slow', async () => {
    const { writes, it: standings } = recorder()
    await standings.record(job(), made(accepted), hoursLater(0))
    await standings.record(job({ priority: 'Unproven' }), made(accepted), hoursLater(1))
    await standings.record(job(), made(timedOut), hoursLater(2))
    await standings.record(job(), made(accepted), hoursLater(3))
    assert.deepEqual(writes, [
      'proof new.example',
      'proof new.example',
      'slow new.example',
      'proof new.example',
    ])
  })

  it('survives a table that fails, and writes the next proof', async () => {
    const { writes, errors, state, it: standings } = recorder()
    state.fails = true
    await standings.record(job(), made(accepted), hoursLater(0))
    await standings.record(job(), made(timedOut), hoursLater(0))
    assert.equal(errors.length, 2)
    state.fails = false
    await standings.record(job(), made(accepted), hoursLater(1))
    assert.deepEqual(writes, ['proof new.example'])
  })
})
