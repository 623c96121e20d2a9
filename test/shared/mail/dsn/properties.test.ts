/** Any sender, next hop and message yields a well-formed DSN without forged fields. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BounceJob, DsnKind } from '../../../../shared/contract/jobs.ts'
import { buildDsn } from '../../../../shared/mail/dsn/dsn.ts'
import { attempt, message, recipient } from '../../../support/fixtures.ts'
import { readMultipart } from '../../../support/multipart.ts'

/** Texts that contain forged fields. */
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 600 }),
  fc.string({ unit: 'grapheme', maxLength: 600 }),
  fc.constantFrom(
    'a\r\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; x@x',
    '\r\n\r\n--=_',
    '\u2028Action: delivered\u0085Status: 2.0.0',
    'a\u202eb\u{e0041}c\u200bd\u00ad',
    '\\x{0D}\\x{0A}Action: delivered',
    '+0D+0AAction: delivered',
    'x'.repeat(5000),
  ),
)
const reply = fc.record({
  code: fc.integer({ min: 200, max: 599 }),
  enhanced: fc.constantFrom('', '5.7.321', '4.4.7', '2.0.0'),
  text: hostileText,
})
const reported = fc.record({
  recipient: fc
    .record({
      address: hostileText,
      orcpt: fc.option(hostileText.map((text) => `utf-8;${text}`)),
      host: hostileText,
      lastReply: reply,
    })
    .map(({ address, orcpt, host, lastReply }) =>
      recipient({ address: `${address}@x.example`, orcpt, lastAttempt: attempt({ host, reply: lastReply }) }),
    ),
  reply,
  explanation: hostileText,
  connector: fc.option(hostileText),
  willRetryUntil: fc.option(fc.constant('2026-01-16T12:00:00.000Z')),
})
const dsnInput = fc.record({
  kind: fc.constantFrom(...DsnKind.options),
  local: fc.constantFrom('a', 'jörg', 'x\r\nBcc: y@y.example\r\n'),
  smtpUtf8: fc.boolean(),
  envid: fc.option(hostileText),
  helo: hostileText,
  recipients: fc.array(reported, { minLength: 1, maxLength: 5 }),
  original: fc.option(
    fc.record({
      kind: fc.constantFrom('Headers' as const, 'Message' as const),
      octets: fc
        .oneof(
          hostileText.map((text) => Buffer.from(text)),
          fc.uint8Array({ maxLength: 2000 }).map((octets) => Buffer.from(octets)),
        )
        .map((octets) => Buffer.concat([octets, Buffer.from('\r\n\r\nBody\r\n')])),
    }),
  ),
})

test('any DSN is well-formed, with exactly one group of status fields for each recipient', () => {
  fc.assert(
    fc.property(dsnInput, ({ kind, local, smtpUtf8, envid, helo, recipients, original }) => {
      const plain = message()
      const mailFrom = `${local}@ours.example`
      const job = BounceJob.parse({
        message: {
          ...plain,
          source: { ip: '192.0.2.1', port: 1, helo },
          envelope: { ...plain.envelope, mailFrom, smtpUtf8, dsn: { ret: null, envid } },
        },
        kind,
        at: plain.receivedAt,
        recipients,
      })
      const dsn = buildDsn(job, 'mx.ours.example', original)
      const { headers, parts } = readMultipart(dsn.octets)
      assert.deepEqual(
        [...headers.keys()].filter((name) => name !== 'content-transfer-encoding'),
        ['from', 'to', 'subject', 'date', 'message-id', 'auto-submitted', 'mime-version', 'content-type'],
      )
      assert.equal(parts.length, original === null ? 2 : 3)
      if (original?.kind === 'Headers') assert.deepEqual(parts[2]?.octets, original.octets)
      for (const part of parts.slice(0, 2))
        assert.doesNotMatch(part.text, /[^\P{C}\r\n]|\p{Default_Ignorable_Code_Point}/u)
      const status = parts[1]?.text ?? ''
      assert.equal(status.split('\r\n\r\n').length, 1 + recipients.length)
      assert.equal(status.match(/^Final-Recipient: /gm)?.length, recipients.length)
      assert.deepEqual(new Set(status.match(/(?<=^Action: ).*(?=\r$)/gm)), new Set([kind]))
      assert.doesNotMatch(status, /[^\r]\n|\r[^\n]/)
      const eightBit = dsn.octets.some((octet) => octet > 0x7f)
      if (!dsn.smtpUtf8) assert.equal(eightBit, false, 'ASCII for an ASCII sender')
    }),
    { numRuns: Number(process.env.DSN_RUNS ?? 100) },
  )
})
