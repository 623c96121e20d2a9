import assert from 'node:assert/strict'
import { type Command, parseCommand } from '../../../functions/smtp-ingress/protocol/command.ts'
import type { EnvelopeSyntax } from '../../../functions/smtp-ingress/protocol/path.ts'
import { formatReply } from '../../../shared/mail/reply.ts'

const octetsOf = (line: string | Buffer) => (typeof line === 'string' ? Buffer.from(line) : line)

/** Parses a line and asserts that it is accepted. */
export function parseAccepted(line: string | Buffer, syntax: EnvelopeSyntax = 'Lenient'): Command {
  const parsed = parseCommand(octetsOf(line), syntax)
  assert.ok('verb' in parsed, `${line} is refused: ${JSON.stringify(parsed)}`)
  return parsed
}

/** Returns the reply to a line and asserts that the line is refused. */
export function replyTo(line: string | Buffer, syntax: EnvelopeSyntax = 'Lenient'): string {
  const parsed = parseCommand(octetsOf(line), syntax)
  assert.ok('reply' in parsed, `${line} is taken: ${JSON.stringify(parsed)}`)
  return formatReply(parsed.reply)
}

/** Returns at most 70 characters of a line in JSON, for the title of a test. Invisible characters become escapes. */
export const printable = (line: string): string =>
  JSON.stringify(line.slice(0, 70)).replace(
    /(?! )[\p{Z}\p{C}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
