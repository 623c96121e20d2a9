import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { breakableParts } from '../../../../../functions/console/app/components/breakable-parts.ts'

describe('a long name goes on in the next line', () => {
  for (const [text, parts] of [
    ['ann@mail.ours.example', ['ann', '@mail.', 'ours.', 'example']],
    ['TLS_AES_256_GCM_SHA384', ['TLS_', 'AES_', '256_', 'GCM_', 'SHA384']],
    ['arn:aws:iam::0:user/local', ['arn:', 'aws:', 'iam::', '0:', 'user/', 'local']],
    ['OutboundTlsNotMet', ['Outbound', 'Tls', 'Not', 'Met']],
    ['192.0.2.16', ['192.0.2.16']],
    ['451 4.7.321 STARTTLS is required', ['451 4.7.321 STARTTLS is required']],
    ['Mail of mail.ours.example waits.', ['Mail of mail.ours.example waits.']],
    ['of mailhub.archive.ours.example now', ['of mailhub.', 'archive.', 'ours.', 'example now']],
    ['', ['']],
  ] as const)
    test(`"${text}"`, () => assert.deepEqual(breakableParts(text), parts))
})
