import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  SessionActivity,
  type SessionState,
} from '../../../../functions/smtp-ingress/connection/session-activity.ts'

const idle: SessionState = { phase: 'Command', hasRecipient: false, acceptedMessages: 0, messageOctets: 0 }
const inTransaction: SessionState = { ...idle, hasRecipient: true }
const inMessage = (messageOctets: number): SessionState => ({
  ...inTransaction,
  phase: 'Data',
  messageOctets,
})

/** The rank after these states, each for a number of seconds. */
function rankAfter(...states: [state: SessionState, seconds: number][]): number | null {
  const activity = new SessionActivity()
  for (const [state, seconds] of states) for (let second = 0; second < seconds; second++) activity.tick(state)
  const [last] = states.at(-1) ?? [idle]
  return activity.rank(last)
}

describe('a session may end for another client', () => {
  const rows: [title: string, states: [SessionState, number][], mayEnd: boolean][] = [
    ['not in its first seconds', [[idle, 4]], false],
    ['after five seconds without a transaction', [[idle, 5]], true],
    ['during a handshake of five seconds', [[{ ...idle, phase: 'Handshake' }, 5]], true],
    [
      'not soon after an accepted message',
      [
        [idle, 100],
        [{ ...idle, acceptedMessages: 1 }, 5],
      ],
      false,
    ],
    [
      'six seconds after an accepted message',
      [
        [idle, 100],
        [{ ...idle, acceptedMessages: 1 }, 6],
      ],
      true,
    ],
    ['not in a transaction of at most ten seconds', [[inTransaction, 10]], false],
    ['in a transaction of more than ten seconds without content', [[inTransaction, 11]], true],
    ['in a message at less than 1 KiB per second, after a minute', [[inMessage(60_000), 61]], true],
    ['not in a message at more than 1 KiB per second', [[inMessage(63_000), 61]], false],
    ['not while the client waits for the ingress', [[{ ...idle, phase: 'Deciding' }, 500]], false],
    ['not after its end', [[{ ...idle, phase: 'Ended' }, 500]], false],
  ]
  for (const [title, states, mayEnd] of rows)
    it(title, () => assert.equal(rankAfter(...states) !== null, mayEnd))
})

describe('the session that ends first', () => {
  const rank = (...states: [SessionState, number][]) => rankAfter(...states) ?? assert.fail('stays')

  it('is the one that was idle for longest', () => assert.ok(rank([idle, 60]) > rank([idle, 59])))

  it('is one without a transaction rather than one with a transaction that does not proceed', () =>
    assert.ok(rank([idle, 6]) > rank([inTransaction, 3_000])))

  it('is the one that began its transaction first, of two that do not proceed', () =>
    assert.ok(rank([inTransaction, 200]) > rank([inTransaction, 100])))
})
