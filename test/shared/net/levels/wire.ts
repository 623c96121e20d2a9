/** Checks the octets of a session in which no mail may be sent in the clear. */
import assert from 'node:assert/strict'
import type { RecordedConnection } from '../../../support/hostile-server.ts'

const commands = String.raw`(?:(?:EHLO|HELO) mail\.ours\.example\r\n|STARTTLS\r\n|QUIT\r\n)*`

/** Matches the commands that begin or end a session, and no others. */
export const opening = new RegExp(`^${commands}$`)

/** Asserts that only commands that begin or end a session, and then TLS records, were sent. */
export function assertHarmless({ wire }: Pick<RecordedConnection, 'wire'>): void {
  const [before = ''] = new RegExp(`^${commands}`).exec(wire.toString('latin1')) ?? []
  assertRecords(wire.subarray(before.length))
}

/**
 * RFC 8446 §5.1: a TLS record has a type (20–23), a version (3 and the minor version), a length in two octets, and the
 * data. The last record may be incomplete.
 */
function assertRecords(octets: Buffer): void {
  for (let at = 0; at < octets.length; ) {
    const type = octets[at] ?? 0
    assert.ok(
      type >= 20 && type <= 23,
      `not a TLS record: ${octets.subarray(at, at + 40).toString('latin1')}`,
    )
    if (at + 5 > octets.length) return
    assert.equal(octets[at + 1], 3, 'not a TLS version')
    at += 5 + octets.readUInt16BE(at + 3)
  }
}
