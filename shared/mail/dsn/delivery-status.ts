/** The machine-readable part: message/delivery-status (RFC 3464 §2.1), or its UTF-8 form (RFC 6533 §4.1). */
import { isIP } from 'node:net'
import type { BounceJob } from '../../contract/jobs.ts'
import { normaliseDomain } from '../domain.ts'
import { formatReply } from '../reply.ts'
import { mailDate, toAsciiLine, toUtf8Line } from './field-text.ts'
import { type AddressForm, finalRecipient, originalRecipient } from './recipients.ts'

type ReportedRecipient = BounceJob['recipients'][number]

/** Returns the fields of the message, then a group of fields for each recipient. */
export function deliveryStatus(job: BounceJob, hostname: string, form: AddressForm): string {
  const { envelope, receivedAt, source } = job.message
  const groups = [
    [
      ...(envelope.dsn.envid === null ? [] : [`Original-Envelope-Id: ${toAsciiLine(envelope.dsn.envid)}`]),
      `Reporting-MTA: dns; ${hostname}`,
      ...(source === null ? [] : [`Received-From-MTA: dns; ${toAsciiLine(source.helo)} (${source.ip})`]),
      `Arrival-Date: ${mailDate(receivedAt)}`,
    ],
    ...job.recipients.map((reported) => recipientFields(reported, job, form)),
  ]
  return groups.map((lines) => `${lines.join('\r\n')}\r\n`).join('\r\n')
}

function recipientFields(
  { recipient, reply, willRetryUntil }: ReportedRecipient,
  { kind }: BounceJob,
  form: AddressForm,
): string[] {
  const { orcpt, address, lastAttempt } = recipient
  // RFC 3464 §2.3.4. A reply without an enhanced status code gets the class of its code.
  const status = reply.enhanced === '' ? `${Math.floor(reply.code / 100)}.0.0` : reply.enhanced
  const diagnostic = formatReply(reply)
  return [
    ...(orcpt === null ? [] : [`Original-Recipient: ${originalRecipient(orcpt, form)}`]),
    `Final-Recipient: ${finalRecipient(address, form)}`,
    `Action: ${kind}`,
    `Status: ${status}`,
    ...remoteMta(lastAttempt?.host ?? null),
    `Diagnostic-Code: smtp; ${form === 'Utf8' ? toUtf8Line(diagnostic) : toAsciiLine(diagnostic)}`,
    // RFC 3464 §2.3.7: only when an attempt was made.
    ...(lastAttempt ? [`Last-Attempt-Date: ${mailDate(lastAttempt.at)}`] : []),
    ...(kind === 'delayed' && willRetryUntil !== null
      ? [`Will-Retry-Until: ${mailDate(willRetryUntil)}`]
      : []),
  ]
}

/**
 * RFC 3464 §2.3.5, RFC 3461 §9.3. The `host` of SES and of the store of TLS reports is not a host name, so it gets no
 * field.
 */
function remoteMta(host: string | null): string[] {
  const family = isIP(host ?? '')
  const name = family === 0 ? normaliseDomain(host ?? '') : `[${family === 6 ? 'IPv6:' : ''}${host}]`
  return name === null ? [] : [`Remote-MTA: dns; ${name}`]
}
