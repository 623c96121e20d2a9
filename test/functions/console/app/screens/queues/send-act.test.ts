import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type ActResult,
  type ActSender,
  sendAct,
} from '../../../../../../functions/console/app/screens/queues/send-act.ts'

/** Answers with two pages for each filter. */
function createApi() {
  const sent: unknown[] = []
  const send: ActSender['send'] = async (method, path, body) => {
    sent.push([method, path, body])
    const isFirst = !path.includes('cursor')
    return { requested: 2, messages: 1, nextCursor: isFirst ? 'a+b' : null, skipped: [] }
  }
  return { sent, api: { send } }
}

const filters = [{ partner: 'clinic.example' }, { partner: 'museum.example' }]

describe('an act on mail that waits', () => {
  test('continues until no cursor is left, for each filter', async () => {
    const { sent, api } = createApi()
    const sums: ActResult[] = []
    await sendAct(
      api,
      { act: 'drop', filters, reason: 'spam' },
      (sum) => sums.push(sum),
      new AbortController().signal,
    )
    assert.deepEqual(
      sums.map(({ recipients }) => recipients),
      [2, 4, 6, 8],
    )
    assert.deepEqual(sent.slice(0, 2), [
      ['POST', '/queues/drop', { filter: { partner: 'clinic.example' }, reason: 'spam' }],
      ['POST', '/queues/drop?cursor=a%2Bb', { filter: { partner: 'clinic.example' }, reason: 'spam' }],
    ])
  })
  test('stops after the request under way', async () => {
    const { sent, api } = createApi()
    const controller = new AbortController()
    await sendAct(api, { act: 'retry', filters, reason: '' }, () => controller.abort(), controller.signal)
    assert.deepEqual(sent, [['POST', '/queues/retry', { filter: { partner: 'clinic.example' } }]])
  })
})
