import assert from 'node:assert/strict'
import { type Command, parseCommand } from '../../../functions/smtp-ingress/protocol/command.ts'
import { formatReply } from '../../../shared/mail/reply.ts'

const octetsOf = (line: string | Buffer) => (typeof line === 'string' ? Buffer.from(line) : line)

/** Parses a line and asserts that it is accepted. */
export function parseAccepted(line: string | Buffer): Command {
  const found = parseCommand(octetsOf(line))
  assert.ok('verb' in found, `${line} is refused: ${JSON.stringify(found)}`)
  return found
}

/** Returns the reply to a line and asserts that the line is refused. */
export function replyTo(line: string | Buffer): string {
  const found = parseCommand(octetsOf(line))
  assert.ok('reply' in found, `${line} is taken: ${JSON.stringify(found)}`)
  return formatReply(found.reply)
}
