/**
 * Plays every transcript in test/dialogs against the SMTP client, octet for octet, without sockets. Lines of a transcript:
 *
 *     # a comment
 *     starttls Required       the mode of the session; WhenOffered by default
 *     requires EncryptionOnly the TLS level that is assessed; Opportunistic by default
 *     without BDAT            the client knows that the host does not accept BDAT
 *     S: text                 the server sends text and CRLF; \r \n \0 \xHH \\ are octets; consecutive lines are sent at
 *                             once, and in a second run octet by octet
 *     S> text                 as S:, also in the second run in one piece with the lines before and after
 *     C: text                 the client has sent exactly this line; \xHH as above
 *     C*3: text               the client has sent the line 3 times
 *     TLS                     the client has asked for a handshake, and it succeeds
 *     envelope {json}, recipient {json}   fields of the next messages' envelopes and recipients
 *     refused FROM > TO: x    the client refuses to send the message, because the server lacks an extension
 *     send FROM > TO, TO: x   the client sends a message with content x, and escapes as above
 *     send 2500000 octets > TO  the client sends a message of that length
 *     received 1048576        the client has sent that many octets, of the content
 *     TO: reply               the recipient's reply
 *     ready | failed: reply | no TLS: cause   the result of opening the session
 *     state: word …           fields of the transaction's result that are true, or `idle` for the session
 *     reset, quit             the client resets the session, or ends it
 *     times out, ends         the client's time limit is reached; the server closes the connection
 *     closed                  the client has closed the connection
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ClientPlayer } from '../../../support/client-player.ts'

const folder = new URL('../../../dialogs/', import.meta.url)

describe('the SMTP client', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.smtp'))
  assert.ok(files.length > 0)
  for (const file of files) {
    const lines = readFileSync(new URL(file, folder), 'utf8').split('\n')
    const [comment = ''] = lines.filter((line) => line.startsWith('#'))
    const steps = lines.filter((line) => line !== '' && !line.startsWith('#'))
    for (const inPieces of [false, true])
      it(`${file}: ${comment.slice(2)}${inPieces ? ', octet by octet' : ''}`, () =>
        new ClientPlayer(inPieces).play(steps))
  }
})
