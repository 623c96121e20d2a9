/**
 * Messages of all levels with public CAs in one batch, one after another to one server. Messages share a session only
 * under the same requirement, so each outcome is that of a separate attempt.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatReply } from '../../../../shared/mail/reply.ts'
import { BatchSessions } from '../../../../shared/net/batch-sessions.ts'
import type { Outcome } from '../../../../shared/net/smtp-delivery.ts'
import { send, serve } from './attempts.ts'
import {
  cellsOf,
  chapters,
  type LevelName,
  levelNames,
  type MisbehaviourName,
  sentenceOf,
} from './expected.ts'
import { levels } from './levels.ts'
import { misbehaviours } from './misbehaviours.ts'

/** The levels with the same CAs, so that one server's certificate suits all. */
const names = levelNames.filter((name) => levels[name].authority === 'Public')

function expectedAt(name: LevelName, misbehaviour: MisbehaviourName): string {
  const rows = chapters.flatMap((chapter) => [...chapter.rows])
  const row = rows.find(({ misbehaviours: rowMisbehaviours }) =>
    (rowMisbehaviours as readonly string[]).includes(misbehaviour),
  )
  assert.ok(row)
  return cellsOf(row)[levelNames.indexOf(name)] ?? ''
}

function toCellText({ outcome, tls, reply, reportOnly }: Outcome): string {
  const cellText = outcome !== 'Delivered' ? reply.enhanced : tls === null ? 'clear' : 'tls'
  return reportOnly ? `${cellText}/${reportOnly.enhanced}` : cellText
}

const orders: Record<string, LevelName[]> = {
  'one of each level': [...names],
  'one of each level in reverse order': names.toReversed(),
  'two of each level': names.flatMap((name) => [name, name]),
}

const testedMisbehaviours: MisbehaviourName[] = [
  'does nothing wrong',
  'offers no STARTTLS',
  'answers STARTTLS with 454',
  'resets in the handshake',
  'has TLS 1.2 at most',
  'is self-signed',
  'is for another name',
  'is of another public CA and has another key',
  'announces nothing over TLS',
]

describe('the messages of one batch', { concurrency: 4 }, () => {
  for (const name of testedMisbehaviours)
    for (const [order, sequence] of Object.entries(orders))
      it(`have the same outcomes as separate attempts when ${sentenceOf(name)}: ${order}`, async () => {
        const misbehaviour = misbehaviours[name]
        const server = await serve(levels.Opportunistic, misbehaviour)
        const sessions = new BatchSessions()
        try {
          for (const level of sequence) {
            const outcome = await send(levels[level], misbehaviour, server, {
              open: (hop, options, mustBeNew) => sessions.open(hop, options, mustBeNew),
            })
            assert.equal(
              toCellText(outcome),
              expectedAt(level, name),
              `${level}: ${formatReply(outcome.reply)}`,
            )
          }
        } finally {
          await sessions.close()
          await server.stop()
        }
        const received = server.connections.flatMap((each) => each.received)
        const expected = sequence.map((level) => expectedAt(level, name).split('/')[0])
        for (const [cellText, encrypted] of [
          ['tls', true],
          ['clear', false],
        ] as const)
          assert.equal(
            received.filter((each) => each.encrypted === encrypted).length,
            expected.filter((text) => text === cellText).length,
            cellText,
          )
        assert.ok(server.connections.length < 2 * sequence.length)
      })
})
