import assert from 'node:assert/strict'
import { type Command, parseCommand } from '../../../functions/smtp-ingress/protocol/command.ts'
import { formatReply } from '../../../shared/mail/reply.ts'

const octetsOf = (line: string | Buffer) => (typeof line === 'string' ? Buffer.from(line) : line)

/** Parses a line and asserts that it is accepted. */
export function parseAccepted(line: string | Buffer): Command {
  const parsed = parseCommand(octetsOf(line))
  assert.ok('verb' in parsed, `${line} is refused: ${JSON.stringify(parsed)}`)
  return parsed
}

/** Returns the reply to a line and asserts that the line is refused. */
export function replyTo(line: string | Buffer): string {
  const parsed = parseCommand(octetsOf(line))
  assert.ok('reply' in parsed, `${line} is taken: ${JSON.stringify(parsed)}`)
  return formatReply(parsed.reply)
}
