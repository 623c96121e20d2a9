/**
 * Explains a status code to people who are not engineers. docs/generated/dsn-advice.md is made from this table. A row
 * is selected by subject and detail of the enhanced status code (RFC 3463). The class is ignored: the same failure
 * defers a message (class 4) and, when the message expires, bounces it (class 5). A row for one code has a comment
 * with the full codes.
 */
import type { PolicySource } from '../../contract/message.ts'

export interface Advice {
  /** One sentence. */
  happened: string
  /** One sentence: the person who can fix it, and how. */
  remedy: string
}

interface AdviceRow extends Advice {
  /** `subject.detail`, or `subject.*` for any detail, or `*` for any code. */
  code: string
  /** Limits the row to attempts for which this source required TLS. */
  source?: PolicySource
  /** Limits the row to decisions of this system: a next hop with connectors may use the same code. */
  ownDecisionOnly?: true
}

/** The first row that matches is used. */
export const advice: readonly AdviceRow[] = [
  {
    code: '7.320', // 4.7.320, 5.7.320
    happened: "The recipient's mail server presented a certificate that is not trusted or has been revoked.",
    remedy:
      "The administrator of the recipient's mail server can install a certificate from a trusted authority.",
  },
  {
    code: '7.321', // 4.7.321, 5.7.321
    happened: "The recipient's mail server does not offer the encryption that this message must have.",
    remedy: "The administrator of the recipient's mail server can enable TLS (STARTTLS).",
  },
  {
    code: '7.322', // 4.7.322, 5.7.322
    happened: "The certificate of the recipient's mail server has expired, or is not valid yet.",
    remedy: "The administrator of the recipient's mail server can renew the certificate.",
  },
  {
    code: '7.323', // 4.7.323, 5.7.323
    source: 'Connector',
    happened:
      "The DNS of the recipient's domain does not prove the certificate of its mail server (DANE), which this message needs.",
    remedy:
      "The administrator of the recipient's domain can publish TLSA records for the certificate in use, in a zone signed with DNSSEC.",
  },
  {
    code: '7.323', // 4.7.323, 5.7.323
    happened:
      "The certificate of the recipient's mail server does not match the server's DNS records (DANE).",
    remedy:
      "The administrator of the recipient's domain can publish a TLSA record for the certificate in use.",
  },
  {
    code: '7.324', // 4.7.324, 5.7.324
    happened: "The DNS records of the recipient's domain are not validly signed (DNSSEC).",
    remedy: "The administrator of the recipient's domain can fix its DNSSEC signatures.",
  },
  {
    code: '7.325', // 4.7.325, 5.7.325
    happened: "The certificate of the recipient's mail server is for another name.",
    remedy: "The administrator of the recipient's mail server can install a certificate with the right name.",
  },
  {
    code: '7.5', // 4.7.5, 5.7.5
    source: 'MtaSts',
    happened:
      "The certificate of the recipient's mail server does not satisfy the policy of the recipient's domain (MTA-STS).",
    remedy:
      "The administrator of the recipient's mail server can install a valid certificate with the server's name.",
  },
  {
    code: '7.5', // 4.7.5, 5.7.5
    happened: "An encrypted connection with the recipient's mail server could not be established.",
    remedy: "The administrator of the recipient's mail server can correct its TLS settings.",
  },
  {
    code: '4.8', // 4.4.8, 5.4.8
    source: 'MtaSts',
    happened:
      "The recipient's mail server is not in the list that the recipient's domain publishes (MTA-STS).",
    remedy: "The administrator of the recipient's domain can make its MX records and its policy agree.",
  },
  {
    code: '4.8', // 4.4.8, 5.4.8
    source: 'Connector',
    happened:
      "The recipient's domain enforces no list of its mail servers (MTA-STS), which this message needs.",
    remedy: "The administrator of the recipient's domain can publish an MTA-STS policy in mode enforce.",
  },
  {
    code: '7.10', // 4.7.10, 5.7.10
    source: 'RequireTls',
    happened:
      'You asked for encryption all the way (REQUIRETLS), but nothing proves which mail servers belong to the recipient.',
    remedy:
      "The administrator of the recipient's domain can sign it (DNSSEC) or publish an MTA-STS policy; or you can send the message without REQUIRETLS.",
  },
  {
    code: '7.10', // 4.7.10, 5.7.10
    ownDecisionOnly: true,
    happened:
      'Your message reached this system without the encryption agreed for mail from your organisation.',
    remedy: 'The administrator of your mail server can configure it to always use TLS with this system.',
  },
  {
    code: '7.30', // 4.7.30, 5.7.30
    happened:
      "You asked for encryption all the way (REQUIRETLS), which the recipient's mail server does not support.",
    remedy:
      "The administrator of the recipient's mail server can enable REQUIRETLS; or you can send the message without it.",
  },
  {
    code: '7.26', // 4.7.26, 5.7.26
    happened: 'Neither SPF nor DKIM proves that the sender address that recipients see is genuine (DMARC).',
    remedy:
      "The administrator of the sender's domain can sign its mail with DKIM, and publish SPF and DMARC records.",
  },
  {
    code: '7.51', // 4.7.51, 5.7.51
    ownDecisionOnly: true,
    happened: 'Your message did not come from a server that may send mail for your organisation.',
    remedy:
      'Your mail administrator can have the certificate or the address of your server added to this system.',
  },
  {
    code: '7.64', // 4.7.64, 5.7.64
    ownDecisionOnly: true,
    happened: 'This system does not relay mail from your server to that address.',
    remedy: 'Your mail administrator can say which server to use instead.',
  },
  {
    code: '7.0', // 5.7.0
    ownDecisionOnly: true,
    happened: 'The administrator of this system returned your message before it was delivered.',
    remedy: 'Your mail administrator can say why, and whether you can send it again.',
  },
  {
    code: '7.0', // 4.7.0, 5.7.0
    happened: "The recipient's mail server refused the message for a security reason.",
    remedy: "The recipient's mail administrator can say which reason, if you quote the details below.",
  },
  {
    code: '4.312', // 4.4.312, 5.4.312
    happened: "The mail servers of the recipient's domain could not be looked up.",
    remedy: "The administrator of the recipient's domain can fix its DNS.",
  },
  {
    code: '4.315', // 4.4.315, 5.4.315
    happened: "The recipient's mail server did not answer in time.",
    remedy: "The recipient's mail administrator can check the server and its network.",
  },
  {
    code: '4.316', // 4.4.316, 5.4.316
    happened: "The recipient's mail server refused the connection.",
    remedy:
      "The recipient's mail administrator can check that the server runs and accepts connections from this system.",
  },
  {
    code: '4.317', // 4.4.317, 5.4.317
    happened: "The recipient's mail server could not be reached over the network.",
    remedy: "Your mail administrator and the recipient's can check the network and the connectors.",
  },
  {
    code: '4.318', // 4.4.318, 5.4.318
    happened: "The recipient's mail server closed the connection too early.",
    remedy: "The recipient's mail administrator can find the reason in the server's logs.",
  },
  {
    code: '4.5', // 4.4.5, 5.4.5
    happened: "Too many messages for the recipient's domain had to be sent at the same time.",
    remedy: 'Your mail administrator can allow more deliveries to that domain at the same time.',
  },
  {
    code: '4.7', // 4.4.7, 5.4.7
    happened: 'The message could not be delivered within the time allowed.',
    remedy: 'Your mail administrator can find the last obstacle in the details below.',
  },
  {
    code: '1.1', // 4.1.1, 5.1.1
    happened: 'The mailbox does not exist.',
    remedy: 'You can check the address for typing mistakes, or ask the recipient for the right address.',
  },
  {
    code: '1.2', // 4.1.2, 5.1.2
    happened: "The recipient's domain does not exist, or does not accept mail.",
    remedy: 'You can check the part after the @ for typing mistakes.',
  },
  {
    code: '1.10', // 4.1.10, 5.1.10
    happened: "The recipient's domain declares that it accepts no mail.",
    remedy:
      'You can check the part after the @ for typing mistakes, or ask the recipient for another address.',
  },
  {
    code: '1.7', // 4.1.7, 5.1.7
    happened: "The sender's address is not valid.",
    remedy: 'Your mail administrator can correct it.',
  },
  {
    code: '1.8', // 4.1.8, 5.1.8
    happened: "The sender's address does not seem to exist.",
    remedy: 'Your mail administrator can correct it.',
  },
  {
    code: '1.*',
    happened: 'The address cannot be used.',
    remedy: 'You can check it for typing mistakes.',
  },
  {
    code: '2.2', // 4.2.2, 5.2.2
    happened: "The recipient's mailbox is full.",
    remedy: 'The recipient can make room in it.',
  },
  {
    code: '2.*',
    happened: "The recipient's mailbox does not accept the message.",
    remedy: 'You can reach the recipient in another way and ask them to check the mailbox.',
  },
  {
    code: '5.3', // 4.5.3, 5.5.3
    happened: "The recipient's mail server takes fewer recipients at once than this message has.",
    remedy: 'Send the message again, to fewer recipients at once.',
  },
  {
    code: '3.4', // 4.3.4, 5.3.4
    happened: "The message is larger than the recipient's mail server accepts.",
    remedy: 'You can send it in smaller parts, or share the attachments in another way.',
  },
  {
    code: '3.0', // 4.3.0, 5.3.0
    happened: 'A mail system on the way had an internal error.',
    remedy: 'Your mail administrator can see which system in the details below.',
  },
  {
    code: '3.5', // 4.3.5, 5.3.5
    ownDecisionOnly: true,
    happened:
      "This system could not present the certificate that was agreed with the recipient's organisation.",
    remedy: 'Your mail administrator can store the certificate where the connector expects it.',
  },
  {
    code: '3.5', // 4.3.5, 5.3.5
    happened: 'A mail system on the way is not configured correctly.',
    remedy: 'Your mail administrator can see which system, and its fault, in the details below.',
  },
  {
    code: '4.*',
    happened: "The recipient's mail server could not be reached, or had an error.",
    remedy: "The recipient's mail administrator can check the server and its network.",
  },
  {
    code: '5.*',
    happened: "The recipient's mail server and this system could not communicate.",
    remedy: "The recipient's mail administrator can find the cause with the details below.",
  },
  {
    code: '6.7', // 4.6.7, 5.6.7
    happened:
      "The recipient's mail server does not accept addresses or subjects with letters outside the English alphabet.",
    remedy: 'You can use only English letters in the subject and, if possible, in the addresses.',
  },
  {
    code: '6.*',
    happened: "The recipient's mail server does not accept this kind of message.",
    remedy: 'You can send it in a simpler form, as plain text.',
  },
  {
    code: '7.*',
    happened: "A rule of the recipient's mail system forbids the message.",
    remedy: "The recipient's mail administrator can say which rule, if you quote the details below.",
  },
  {
    code: '*',
    happened: 'The message was not accepted.',
    remedy: "The recipient's mail administrator can say why, if you quote the details below.",
  },
]

/**
 * @param enhanced enhanced status code of the reply; empty when the next hop gave none
 * @param source the source of the TLS requirement in the last attempt
 * @param isFromNextHop whether the reply came from a next hop
 */
export function adviceFor(enhanced: string, source: PolicySource | null, isFromNextHop: boolean): Advice {
  const [, subject = '', detail = ''] = enhanced.split('.')
  const codes = [`${subject}.${detail}`, `${subject}.*`, '*']
  const match = advice.find(
    (row) =>
      codes.includes(row.code) &&
      (row.source ?? source) === source &&
      !(row.ownDecisionOnly && isFromNextHop),
  )
  if (match === undefined) throw new Error('the table of advice lacks a last row that matches every code')
  return match
}

/** The codes for TLS requirements that were not met, as `subject.detail`. */
const tlsCodes = new Set(['7.5', '7.10', '7.30', '7.320', '7.321', '7.322', '7.323', '7.324', '7.325', '4.8'])

export const isTlsCode = (enhanced: string): boolean =>
  tlsCodes.has(enhanced.slice(enhanced.indexOf('.') + 1))
