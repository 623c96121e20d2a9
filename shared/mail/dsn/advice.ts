/**
 * What a status code means to somebody who is no engineer, and who can mend it. docs/dsns.md shows this table. By
 * subject and detail of the enhanced status code (RFC 3463), whatever its class: what holds a message back today ends
 * it tomorrow.
 */
import type { PolicySource } from '../../contract/message.ts'

export interface Advice {
  /** What is the matter. One sentence. */
  happened: string
  /** Who can mend it, and how. One sentence. */
  remedy: string
}

interface Row extends Advice {
  /** `subject.detail`; `*` stands for any detail, and alone for any code. */
  code: string
  /** Only where this is what demanded TLS. */
  source?: PolicySource
  /** Only where a connector here says so, not where a next hop does, which may be a server that has connectors too. */
  ruleHere?: true
}

/** In the order of the document. The first row that fits counts. */
export const advice: readonly Row[] = [
  {
    code: '7.320',
    happened: "The recipient's mail server showed a certificate that is not trusted, or was revoked.",
    remedy:
      "The administrator of the recipient's mail server can give it a new certificate of a known authority.",
  },
  {
    code: '7.321',
    happened: "The recipient's mail server does not offer the encryption that this message must have.",
    remedy: "The administrator of the recipient's mail server can switch TLS (STARTTLS) on.",
  },
  {
    code: '7.322',
    happened: "The certificate of the recipient's mail server has expired, or is not valid yet.",
    remedy: "The administrator of the recipient's mail server can renew it.",
  },
  {
    code: '7.323',
    happened:
      "The recipient's mail server showed a certificate other than those that its domain publishes (DANE).",
    remedy:
      "The administrator of the recipient's domain can publish the certificate in use as a TLSA record.",
  },
  {
    code: '7.324',
    happened: "What the recipient's domain publishes about its mail servers is not validly signed (DNSSEC).",
    remedy: "The administrator of the recipient's domain can mend its DNSSEC signatures.",
  },
  {
    code: '7.325',
    happened: "The certificate of the recipient's mail server is made out to another name.",
    remedy: "The administrator of the recipient's mail server can give it a certificate with the right name.",
  },
  {
    code: '7.5',
    source: 'MtaSts',
    happened:
      "The recipient's mail server showed a certificate that its domain's own rules forbid (MTA-STS).",
    remedy: "The administrator of the recipient's mail server can give it a valid certificate with its name.",
  },
  {
    code: '7.5',
    happened: "An encrypted connection with the recipient's mail server could not be established.",
    remedy: "The administrator of the recipient's mail server can put its TLS settings right.",
  },
  {
    code: '4.8',
    source: 'MtaSts',
    happened: "The recipient's mail server is none of those that its domain's own rules name (MTA-STS).",
    remedy: "The administrator of the recipient's domain can bring its MX records and its policy into line.",
  },
  {
    code: '7.10',
    source: 'RequireTls',
    happened:
      "You asked for encryption all the way (REQUIRETLS), and nothing proves which mail servers are the recipient's.",
    remedy:
      "The administrator of the recipient's domain can sign it (DNSSEC) or publish an MTA-STS policy; or send it without that demand.",
  },
  {
    code: '7.10',
    ruleHere: true,
    happened:
      'Your message reached this system without the encryption agreed for mail from your organisation.',
    remedy: 'The administrator of your own mail server can have it send to this system by TLS only.',
  },
  {
    code: '7.30',
    happened:
      "You asked for encryption all the way (REQUIRETLS), and the recipient's mail server does not promise it.",
    remedy: "The administrator of the recipient's mail server can enable it; or send it without that demand.",
  },
  {
    code: '7.51',
    ruleHere: true,
    happened: 'Your message did not come from a server that may send mail of your organisation.',
    remedy: 'Your mail administrator can have the certificate or the address of your server made known here.',
  },
  {
    code: '7.64',
    ruleHere: true,
    happened: 'This system does not carry mail from where yours came to that address.',
    remedy: 'Your mail administrator can say by which server to send it.',
  },
  {
    code: '7.0',
    happened: "The recipient's mail server does not take the message, for a reason of security.",
    remedy: "The recipient's mail administrator can say which, if you quote the details below.",
  },
  {
    code: '4.312',
    happened: "The mail servers of the recipient's domain could not be looked up.",
    remedy: "The administrator of the recipient's domain can mend its DNS.",
  },
  {
    code: '4.315',
    happened: "The recipient's mail server did not answer in time.",
    remedy: "The recipient's mail administrator can see to it.",
  },
  {
    code: '4.316',
    happened: "The recipient's mail server refused the connection.",
    remedy: "The recipient's mail administrator can see to it that it runs and lets this system in.",
  },
  {
    code: '4.317',
    happened: "There is no way to the recipient's mail server.",
    remedy:
      "Your mail administrator and the recipient's can see to the network and the connectors between them.",
  },
  {
    code: '4.318',
    happened: "The recipient's mail server broke the connection off.",
    remedy: "The recipient's mail administrator can see in its logs why.",
  },
  {
    code: '4.5',
    happened: "There is more mail for the recipient's domain than may be sent to it at once.",
    remedy: 'Your mail administrator can allow more deliveries to it at once.',
  },
  {
    code: '4.7',
    happened: 'The message could not be delivered in the time that it may wait.',
    remedy:
      'The details below say what stood in its way to the last, and your mail administrator can read them.',
  },
  {
    code: '1.1',
    happened: 'There is no such mailbox.',
    remedy: 'You can check the address for mistakes, or ask the recipient for it.',
  },
  {
    code: '1.2',
    happened: "The recipient's domain does not exist, or takes no mail.",
    remedy: 'You can check what stands behind the @ for mistakes.',
  },
  {
    code: '1.10',
    happened: "The recipient's domain takes no mail, and says so.",
    remedy: 'You can check what stands behind the @ for mistakes, or ask the recipient for another address.',
  },
  {
    code: '1.7',
    happened: 'The address that the message was sent from is not valid.',
    remedy: 'Your mail administrator can put it right.',
  },
  {
    code: '1.8',
    happened: 'The address that the message was sent from is not known to exist.',
    remedy: 'Your mail administrator can put it right.',
  },
  {
    code: '1.*',
    happened: 'The address cannot be used.',
    remedy: 'You can check it for mistakes.',
  },
  {
    code: '2.2',
    happened: "The recipient's mailbox is full.",
    remedy: 'The recipient can make room in it.',
  },
  {
    code: '2.*',
    happened: "The recipient's mailbox does not take the message.",
    remedy: 'The recipient can see to it, if you reach them another way.',
  },
  {
    code: '3.4',
    happened: "The message is larger than the recipient's mail server takes.",
    remedy: 'You can send it in smaller parts, or what is attached another way.',
  },
  {
    code: '3.0',
    happened: 'A mail system on the way had a fault of its own.',
    remedy: 'Your mail administrator can tell which from the details below.',
  },
  {
    code: '3.5',
    happened: "This system could not show the certificate that was agreed with the recipient's organisation.",
    remedy: 'Your mail administrator can put it where the connector looks for it.',
  },
  {
    code: '4.*',
    happened: "The recipient's mail server could not be reached, or had a fault.",
    remedy: "The recipient's mail administrator can see to it.",
  },
  {
    code: '5.*',
    happened: "The recipient's mail server and this system do not understand each other.",
    remedy: "The recipient's mail administrator can see to it, with the details below.",
  },
  {
    code: '6.7',
    happened:
      "The recipient's mail server does not take addresses or headings with letters outside of English.",
    remedy: 'You can use other addresses and a plain subject, if there are any.',
  },
  {
    code: '6.*',
    happened: "The recipient's mail server does not take this kind of message.",
    remedy: 'You can send it in a simpler form, as plain text.',
  },
  {
    code: '7.*',
    happened: "A rule of the recipient's mail system forbids the message.",
    remedy: "The recipient's mail administrator can say which, if you quote the details below.",
  },
  {
    code: '*',
    happened: 'The message was not taken.',
    remedy: "The recipient's mail administrator can say why, if you quote the details below.",
  },
]

/**
 * @param enhanced of the reply; empty when a peer gave none
 * @param source who demanded TLS in the last attempt
 * @param byNextHop whether that is what a next hop said
 */
export function adviceFor(enhanced: string, source: PolicySource | null, byNextHop: boolean): Advice {
  const [, subject = '', detail = ''] = enhanced.split('.')
  const codes = [`${subject}.${detail}`, `${subject}.*`, '*']
  const fits = advice.find(
    (row) => codes.includes(row.code) && (row.source ?? source) === source && !(row.ruleHere && byNextHop),
  )
  if (fits === undefined) throw new Error('the last row fits everything')
  return fits
}

/** Codes by which an attempt, or a rule, says that TLS is not as it must be. */
const aboutTls = new Set(['7.5', '7.10', '7.30', '7.320', '7.321', '7.322', '7.323', '7.324', '7.325', '4.8'])

export const isAboutTls = (enhanced: string): boolean =>
  aboutTls.has(enhanced.slice(enhanced.indexOf('.') + 1))
