/** Replies to commands that cannot be parsed. Similar replies share a reason, because each reason is a metric. */
import { type Refusal, refusal } from '../replies.ts'

/** Not a command of SMTP, or an obsolete one. */
export const commandUnknown = refusal('CommandUnknown', 500, '5.5.2', 'Command not recognized')
/** AUTH and EXPN. */
export const commandNotOffered = refusal('CommandNotOffered', 502, '5.5.1', 'Command not implemented')

/** RFC 5321 §2.3.8, §4.1.1: commands contain no control characters. */
const controls = new Map([
  ['\r', malformedCommand('a bare CR')],
  ['\n', malformedCommand('a bare LF')],
  ['\0', malformedCommand('a NUL')],
  ['\t', malformedCommand('a TAB')],
])
const otherControl = malformedCommand('a control character')

/** A command contains a control character; the text names a bare CR, a bare LF, a NUL or a TAB. */
export const controlRefusal = (character: string): Refusal => controls.get(character) ?? otherControl

function malformedCommand(description: string): Refusal {
  return refusal('CommandMalformed', 500, '5.5.2', `Command contains ${description}`)
}

/**
 * A required argument is missing, or an argument is not allowed; the text shows the syntax of the command.
 * @param syntax of the command
 */
export const syntaxRefusal = (syntax: string): Refusal =>
  refusal('ArgumentMalformed', 501, '5.5.4', `Syntax: ${syntax}`)

/**
 * A line that begins with BDAT and cannot be parsed. The session ends, because the number of octets after the line is
 * unknown, and they must not be read as commands.
 */
export const chunkSizeUnknown = refusal(
  'ChunkSizeUnknown',
  421,
  '4.5.4',
  'Syntax: BDAT size [LAST], closing connection',
)

/** The name in EHLO or HELO is not one word of visible UTF-8 characters, or has more than 255 octets. */
export const badHostName = refusal('ArgumentMalformed', 501, '5.5.4', 'Bad hostname syntax')

/** The address of MAIL FROM. */
export const badSender = refusal('AddressMalformed', 501, '5.1.7', 'Bad sender address syntax')
/** The address of RCPT TO. */
export const badRecipient = refusal('AddressMalformed', 501, '5.1.3', 'Bad recipient address syntax')
/** The address of MAIL FROM. */
export const senderNotUtf8 = refusal('AddressMalformed', 501, '5.1.7', 'Sender address is not UTF-8')
/** The address of RCPT TO. */
export const recipientNotUtf8 = refusal('AddressMalformed', 501, '5.1.3', 'Recipient address is not UTF-8')

/** The address of MAIL FROM: a default-ignorable, format or unassigned character, or a space other than U+0020. */
export const invisibleInSender = refusal(
  'AddressMalformed',
  501,
  '5.1.7',
  'Sender address has an invisible character',
)
/** The address of RCPT TO: a default-ignorable, format or unassigned character, or a space other than U+0020. */
export const invisibleInRecipient = refusal(
  'AddressMalformed',
  501,
  '5.1.3',
  'Recipient address has an invisible character',
)

/** Parameters of MAIL FROM or RCPT TO. */
export const parametersNotUtf8 = invalidParameter('Parameters are not UTF-8')

/** A fault of one parameter of MAIL FROM or RCPT TO; the text describes it. */
export function invalidParameter(text: string): Refusal {
  return refusal('ParameterMalformed', 501, '5.5.4', text)
}
