/** Sends one command, or the content of a message, to a server and waits for its reply. */
import type { ClientSession } from '../../../shared/net/smtp/client-session.ts'
import type { TlsClearance } from '../../../shared/net/smtp/tls-clearance.ts'
import type { SmtpFault } from '../../../shared/net/smtp-faults.ts'

/** `text`: the reply as the server wrote it. `Fault`: the session failed before a reply. */
export type CommandAnswer = { kind: 'Reply'; text: string } | { kind: 'Fault'; fault: SmtpFault }

/** @param octets with their final CRLF */
export function exchangeCommand(
  session: ClientSession,
  clearance: TlsClearance,
  octets: string,
): Promise<CommandAnswer> {
  return new Promise((resolve) => {
    let text = ''
    session.begin({
      reply: (serverReply) => {
        text = serverReply.text
      },
      step: () => {
        session.finish()
        resolve({ kind: 'Reply', text })
      },
      fault: (fault) => resolve({ kind: 'Fault', fault }),
    })
    session.write(clearance, octets, 1)
    session.startWait('Reply')
  })
}
