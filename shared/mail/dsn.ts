/**
 * Delivery status notifications (RFC 3464 in a multipart/report, RFC 6522). The risk: a DSN that answers a DSN
 * loops, one that quotes the message leaks what forced TLS protected. So none is built for a null reverse path,
 * and of the message only its headers come back, whatever RET asked for (RFC 8689 §5 asks no less).
 */
import { createHash } from 'node:crypto'
import MimeNode from 'nodemailer/lib/mime-node'
import type { BounceJob } from '../contract/jobs.ts'
import { formatReply } from './reply.ts'

type Reported = BounceJob['recipients'][number]

export interface Dsn {
  id: string
  octets: Buffer
}

/**
 * @param job what happened to which recipients
 * @param hostname the reporting MTA
 * @param headers the original message's header section
 */
export async function buildDsn(job: BounceJob, hostname: string, headers: string): Promise<Dsn> {
  const id = dsnId(job)
  const report = new MimeNode('multipart/report; report-type=delivery-status', {
    baseBoundary: id,
    newline: '\r\n',
  })
  report.setHeader({
    from: { name: 'Mail Delivery System', address: `postmaster@${hostname}` },
    to: { name: '', address: job.message.envelope.mailFrom },
    subject:
      job.kind === 'failed' ? 'Undelivered mail returned to sender' : 'Delayed mail (still being retried)',
    date: new Date(job.at).toUTCString().replace('GMT', '+0000'),
    'message-id': `<${id}@${hostname}>`,
    // RFC 3834 §5
    'auto-submitted': 'auto-replied',
  })
  report.createChild('text/plain; charset=utf-8').setContent(humanPart(job, hostname))
  report.createChild('message/delivery-status').setContent(machinePart(job, hostname))
  report.createChild('text/rfc822-headers').setContent(headers)
  return { id, octets: await report.build() }
}

/**
 * The DSN's message id follows from what it reports, so a DSN built twice is one message, and its delivery is
 * claimed once. The first ten characters are the original ULID's time.
 */
export function dsnId({ message, kind, recipients }: BounceJob): string {
  const reported = recipients.map(({ recipient }) => recipient.address).sort()
  const digest = createHash('sha256')
    .update(JSON.stringify([message.id, kind, reported]))
    .digest()
  const random = Array.from(digest.subarray(0, 16), (octet) => crockford[octet & 31]).join('')
  return message.id.slice(0, 10) + random
}

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

function humanPart(job: BounceJob, hostname: string): string {
  const { message, kind, recipients } = job
  const opening =
    kind === 'failed'
      ? 'Your message could not be delivered to the recipients below. It will not be tried again.'
      : 'Your message has not been delivered yet to the recipients below. Nothing needs to be done: it is still being tried.'
  return [
    `This is the mail system at ${hostname}.`,
    '',
    opening,
    `It was received at ${message.receivedAt} and is known here as ${message.id}.`,
    ...recipients.flatMap((reported) => ['', ...humanLines(reported, kind)]),
    '',
  ].join('\r\n')
}

function humanLines(
  { recipient, reply, explanation, connector, willRetryUntil }: Reported,
  kind: BounceJob['kind'],
): string[] {
  return [
    `<${recipient.address}>`,
    `  ${formatReply(reply)}`,
    `  ${explanation}`,
    ...(connector === null
      ? []
      : [`  The rule that decided is connector "${connector}"; its administrator can say more.`]),
    ...(kind === 'delayed' && willRetryUntil !== null ? [`  It will be tried until ${willRetryUntil}.`] : []),
    ...(kind === 'failed' ? [`  ${remedy(reply.enhanced)}`] : []),
  ]
}

/** Who can mend it, by subject and detail of the enhanced status code (RFC 3463 §3). */
function remedy(enhanced: string): string {
  const [, subject, detail] = enhanced.split('.')
  if (subject === '7' && ['10', '320', '321', '322', '325', '5'].includes(detail ?? ''))
    return "The encryption agreed with this partner could not be established. The partner's mail administrator can mend it; resend afterwards."
  if (subject === '7') return 'A security rule refused it. Ask your mail administrator.'
  if (subject === '1') return 'Check the address, then resend.'
  if (subject === '2') return "The recipient's mailbox refused it. Reach the recipient another way."
  if (subject === '4')
    return "The recipient's mail server could not be reached. Resend later, or reach the recipient another way."
  return "Ask the recipient's mail administrator, quoting the line above."
}

/** RFC 3464 §2.1: fields about the message, then a group for each recipient. */
function machinePart(job: BounceJob, hostname: string): string {
  const { envelope, receivedAt, source } = job.message
  const groups = [
    [
      ...(envelope.dsn.envid === null ? [] : [`Original-Envelope-Id: ${asciiLine(envelope.dsn.envid)}`]),
      `Reporting-MTA: dns; ${hostname}`,
      ...(source === null ? [] : [`Received-From-MTA: dns; ${asciiLine(source.helo)} (${source.ip})`]),
      `Arrival-Date: ${mailDate(receivedAt)}`,
    ],
    ...job.recipients.map((reported) => machineLines(reported, job)),
  ]
  return groups.map((lines) => `${lines.join('\r\n')}\r\n`).join('\r\n')
}

function machineLines({ recipient, reply, willRetryUntil }: Reported, { kind, at }: BounceJob): string[] {
  const host = recipient.lastAttempt?.host
  // RFC 3464 §2.3.4: the status is the one that ended it; a peer that gave none gets its reply's class.
  const status = reply.enhanced === '' ? `${Math.floor(reply.code / 100)}.0.0` : reply.enhanced
  return [
    ...(recipient.orcpt === null ? [] : [`Original-Recipient: ${recipient.orcpt}`]),
    `Final-Recipient: ${addressField(recipient.address)}`,
    `Action: ${kind}`,
    `Status: ${status}`,
    ...(host ? [`Remote-MTA: dns; ${asciiLine(host)}`] : []),
    `Diagnostic-Code: smtp; ${asciiLine(formatReply(reply))}`,
    ...(recipient.lastAttempt
      ? [`Last-Attempt-Date: ${mailDate(recipient.lastAttempt.at)}`]
      : [`Last-Attempt-Date: ${mailDate(at)}`]),
    ...(kind === 'delayed' && willRetryUntil !== null
      ? [`Will-Retry-Until: ${mailDate(willRetryUntil)}`]
      : []),
  ]
}

/** RFC 6533 §3: an internationalised address stands here as utf-8-addr-xtext, which is ASCII. */
function addressField(address: string): string {
  const ascii = asciiLine(address)
  return ascii === address ? `rfc822; ${address}` : `utf-8; ${ascii}`
}

/** ASCII, and short enough that no line exceeds the 998 octets of RFC 5322 §2.1.1. */
const asciiLine = (text: string): string =>
  oneLine(text)
    .replace(/[^\x20-\x7e]/gu, (character) => `\\x{${character.codePointAt(0)?.toString(16).toUpperCase()}}`)
    .slice(0, 900)

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const oneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ')

/** RFC 5322 §3.3. */
const mailDate = (iso: string): string => new Date(iso).toUTCString().replace('GMT', '+0000')
