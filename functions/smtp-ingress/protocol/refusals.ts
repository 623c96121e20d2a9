/** Replies to commands that cannot be parsed. Few reasons, so that metrics stay few. */
import { type Refused, refused } from '../replies.ts'

/** Not a command of SMTP, or an obsolete one. */
export const commandUnknown = refused('CommandUnknown', 500, '5.5.2', 'Command not recognized')
/** AUTH and EXPN. */
export const commandNotOffered = refused('CommandNotOffered', 502, '5.5.1', 'Command not implemented')

/** RFC 5321 §2.3.8, §4.1.1: commands contain no controls. */
const controls = new Map([
  ['\r', unlawfulCommand('a bare CR')],
  ['\n', unlawfulCommand('a bare LF')],
  ['\0', unlawfulCommand('a NUL')],
  ['\t', unlawfulCommand('a TAB')],
])
const otherControl = unlawfulCommand('a control character')

/** The same for a bare LF, a NUL, a TAB and any other control character. */
export const unlawfulControl = (character: string): Refused => controls.get(character) ?? otherControl

function unlawfulCommand(what: string): Refused {
  return refused('CommandMalformed', 500, '5.5.2', `Command contains ${what}`)
}

/**
 * The same for each other command.
 * @param syntax of the command
 */
export const wrongArguments = (syntax: string): Refused =>
  refused('ArgumentMalformed', 501, '5.5.4', `Syntax: ${syntax}`)

/** EHLO or HELO with a name that cannot be stored and shown. */
export const badHostName = refused('ArgumentMalformed', 501, '5.5.4', 'Bad hostname syntax')

/** The address of MAIL FROM. */
export const badSender = refused('AddressMalformed', 501, '5.1.7', 'Bad sender address syntax')
/** The address of RCPT TO. */
export const badRecipient = refused('AddressMalformed', 501, '5.1.3', 'Bad recipient address syntax')
/** The address of MAIL FROM. */
export const senderNotUtf8 = refused('AddressMalformed', 501, '5.1.7', 'Sender address is not UTF-8')
/** The address of RCPT TO. */
export const recipientNotUtf8 = refused('AddressMalformed', 501, '5.1.3', 'Recipient address is not UTF-8')

/** Parameters of MAIL FROM or RCPT TO. */
export const parametersNotUtf8 = wrongParameter('Parameters are not UTF-8')

/** The same for each other parameter, with its name. */
export function wrongParameter(text: string): Refused {
  return refused('ParameterMalformed', 501, '5.5.4', text)
}
