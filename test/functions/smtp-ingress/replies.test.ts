/** docs/ingress.md lists every reply of the ingress, word for word, and no others. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as refusals from '../../../functions/smtp-ingress/protocol/refusals.ts'
import type { Refused } from '../../../functions/smtp-ingress/replies.ts'
import * as replies from '../../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../../shared/contract/message.ts'
import { formatReply } from '../../../shared/mail/reply.ts'

/** One sample of each reply with a variable part. */
const samples: Refused[] = [
  replies.tooLarge(36_700_160),
  replies.headerTooLarge(262_144),
  replies.messageLineTooLong(65_536),
  replies.parameterUnknown('FUTURE'),
  replies.parameterTooLong('ENVID'),
  refusals.unlawfulControl('\r'),
  refusals.wrongArguments('MAIL FROM:<address>'),
]

const isReply = (value: unknown): value is Reply =>
  typeof value === 'object' && value !== null && 'code' in value
const isRefused = (value: unknown): value is Refused =>
  typeof value === 'object' && value !== null && 'reason' in value

test('the documented replies are exactly those of the code', () => {
  const exported: unknown[] = [...Object.values(replies), ...Object.values(refusals), ...samples]
  const all = exported.flatMap((value) => (isRefused(value) ? [value.reply] : isReply(value) ? [value] : []))
  const said = new Set(all.filter(({ code }) => code >= 400).map(formatReply))
  const table = readFileSync(new URL('../../../docs/ingress.md', import.meta.url), 'utf8')
  const written = [...table.matchAll(/^\| `(\d{3} [^`]+)` \|/gm)].map(([, reply]) => reply ?? '')
  assert.deepEqual(
    [...said].filter((reply) => !written.includes(reply)),
    [],
    'in the code, not documented',
  )
  const elsewhere = new Set([
    '451 4.7.0 Too many messages per minute for this connector, try again later',
    '451 4.7.0 Too many messages per minute from your address, try again later',
  ])
  assert.deepEqual(
    written.filter((reply) => !said.has(reply) && !elsewhere.has(reply)),
    [],
    'documented, not in the code',
  )
  assert.deepEqual(
    written.map((reply) => reply.slice(0, 3)),
    written.map((reply) => reply.slice(0, 3)).sort(),
  )
})

test('both codes have the same class', () => {
  for (const { reply } of samples) assert.equal(reply.enhanced[0], String(reply.code)[0])
})
