/**
 * Mail servers by other authors, as next hops. Each delivers mail for partner.example to a Maildir. It refuses the
 * recipient refused@partner.example and the sender refused@elsewhere.example.
 */
import type { Identity } from '../pki.ts'
import { freePort } from '../process.ts'
import { Exim } from './exim.ts'
import { Postfix } from './peers.ts'

export interface MailServer {
  ports: {
    /** Announces STARTTLS. */
    tls: number
    /** Does not announce STARTTLS. */
    clear: number
  }
  /** The line end of the stored messages. */
  lineEnd: '\n' | '\r\n'
  /** The stored messages, one for each recipient, with the field Delivered-To. */
  mailbox(): string[]
  stop(): Promise<void>
}

export const domain = 'partner.example'
export const refusedRecipient = `refused@${domain}`
export const refusedSender = 'refused@elsewhere.example'

/** Postfix refuses the sender in its reply to MAIL. */
export async function startPostfixServer(tls: Identity): Promise<MailServer> {
  const clear = await freePort()
  const postfix = await Postfix.start({
    domain,
    tls,
    settings: {
      smtpd_delay_reject: 'no',
      smtpd_sender_restrictions: `check_sender_access inline:{${refusedSender}=REJECT}`,
      smtpd_recipient_restrictions: `check_recipient_access inline:{${refusedRecipient}=REJECT}`,
    },
    services: [`127.0.0.1:${clear} inet n - n - - smtpd -o smtpd_tls_security_level=none`],
  })
  return {
    ports: { tls: postfix.port, clear },
    lineEnd: '\n',
    mailbox: () => postfix.mailbox(),
    stop: () => postfix.stop(),
  }
}

/** Exim's field for the recipient has another name. */
export async function startEximServer(tls: Identity): Promise<MailServer> {
  const [secure, clear] = await Promise.all([Exim.start({ domain, tls }), Exim.start({ domain })])
  const withDeliveredTo = (text: string) => text.replace(/^Envelope-to:/m, 'Delivered-To:')
  return {
    ports: { tls: secure.port, clear: clear.port },
    lineEnd: '\n',
    mailbox: () => [...secure.mailbox(), ...clear.mailbox()].map(withDeliveredTo),
    async stop() {
      await Promise.all([secure.stop(), clear.stop()])
    },
  }
}
