/** Builds the message with a summary: plain text, marked as automatic, and signed by DKIM if there is a key. */
import MimeNode from 'nodemailer/lib/mime-node'
import { dkimSignature } from '../../shared/authentication/dkim-signature.ts'
import { domainOf } from '../../shared/mail/address.ts'
import type { SigningKey } from '../../shared/net/signing-key.ts'

/** `Date` and `Message-ID` are left out, because SES replaces them. */
const signedFields = ['From', 'To', 'Subject', 'MIME-Version', 'Content-Type', 'Auto-Submitted']

export interface SummaryMail {
  /** The local part of `Message-ID`. */
  id: string
  from: string
  to: string
  at: Date
  subject: string
  lines: readonly string[]
}

/** Returns the field `Message-ID`. */
export const summaryMessageId = ({ id, from }: Pick<SummaryMail, 'id' | 'from'>): string =>
  `<${id}@${domainOf(from)}>`

/** @throws Error if the key cannot sign */
export async function buildSummaryMail(mail: SummaryMail, key: SigningKey | null): Promise<Buffer> {
  const { from, to, at, subject, lines } = mail
  const message = new MimeNode('text/plain; charset=utf-8', { newline: '\r\n' })
  message.setHeader({
    from: { name: 'mailflow', address: from },
    to: { name: '', address: to },
    subject,
    date: at.toUTCString().replace('GMT', '+0000'),
    'message-id': summaryMessageId(mail),
    // RFC 3834 §5
    'auto-submitted': 'auto-generated',
    // A line may have 998 octets (RFC 5322 §2.1.1). Names of domains are longer than their share of it.
    'content-transfer-encoding': 'quoted-printable',
  })
  message.setContent(lines.map((line) => `${line}\r\n`).join(''))
  const octets = await message.build()
  return key === null ? octets : Buffer.concat([await dkimSignature(octets, key, signedFields, at), octets])
}
