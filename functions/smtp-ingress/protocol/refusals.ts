/** Replies to commands that cannot be parsed. Few reasons, so that metrics stay few. */
import { type Refused, refused } from '../replies.ts'

export const commandUnknown = refused('CommandUnknown', 500, '5.5.2', 'Command not recognized')
export const commandNotOffered = refused('CommandNotOffered', 502, '5.5.1', 'Command not implemented')

/** RFC 5321 §2.3.8, §4.1.1: commands contain no controls. */
const controls = new Map([
  ['\r', unlawfulCommand('a bare CR')],
  ['\n', unlawfulCommand('a bare LF')],
  ['\0', unlawfulCommand('a NUL')],
  ['\t', unlawfulCommand('a TAB')],
])
const otherControl = unlawfulCommand('a control character')

export const unlawfulControl = (character: string): Refused => controls.get(character) ?? otherControl

function unlawfulCommand(what: string): Refused {
  return refused('CommandMalformed', 500, '5.5.2', `Command contains ${what}`)
}

/** @param syntax of the command */
export const wrongArguments = (syntax: string): Refused =>
  refused('ArgumentMalformed', 501, '5.5.4', `Syntax: ${syntax}`)

export const badHostName = refused('ArgumentMalformed', 501, '5.5.4', 'Bad hostname syntax')

export const badSender = refused('AddressMalformed', 501, '5.1.7', 'Bad sender address syntax')
export const badRecipient = refused('AddressMalformed', 501, '5.1.3', 'Bad recipient address syntax')
export const senderNotUtf8 = refused('AddressMalformed', 501, '5.1.7', 'Sender address is not UTF-8')
export const recipientNotUtf8 = refused('AddressMalformed', 501, '5.1.3', 'Recipient address is not UTF-8')

export const parametersNotUtf8 = wrongParameter('Parameters are not UTF-8')

export function wrongParameter(text: string): Refused {
  return refused('ParameterMalformed', 501, '5.5.4', text)
}
