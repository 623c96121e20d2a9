import assert from 'node:assert/strict'
import { type Command, parseCommand } from '../../../functions/smtp-ingress/protocol/command.ts'
import { formatReply } from '../../../shared/mail/reply.ts'

const octetsOf = (line: string | Buffer) => (typeof line === 'string' ? Buffer.from(line) : line)

/** What a line is taken for; that it is taken is asserted. */
export function parsed(line: string | Buffer): Command {
  const found = parseCommand(octetsOf(line))
  assert.ok('verb' in found, `${line} is refused: ${JSON.stringify(found)}`)
  return found
}

/** What the client hears; that the line is refused is asserted. */
export function answer(line: string | Buffer): string {
  const found = parseCommand(octetsOf(line))
  assert.ok('reply' in found, `${line} is taken: ${JSON.stringify(found)}`)
  return formatReply(found.reply)
}
