/**
 * Composes and sends the test message, which tests the whole path. Its text explains its purpose, and its headers keep
 * programs from replying.
 */
import { ulid } from 'ulid'
import type { OutboundConnector } from '../../shared/connectors/schema.ts'
import type { ValidationStep } from '../../shared/connectors/validation.ts'
import type { TlsRequirement } from '../../shared/contract/jobs.ts'
import { basicEnvelope, newRecipient } from '../../shared/contract/message.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import type { OutboundMessage, Outcome, Outcomes } from '../../shared/net/smtp-delivery.ts'
import { measureDuration, stepOf } from './steps.ts'

export interface TestMessage {
  /** An address of an accepted domain. */
  from: string
  recipients: readonly string[]
  /** Host name of this gateway. */
  hostname: string
  at: Date
}

export async function composeTestMessage(
  { name, id }: OutboundConnector,
  tls: TlsRequirement,
  { from, recipients, hostname, at }: TestMessage,
): Promise<OutboundMessage> {
  // Loaded on first use: most validations send no test message.
  const { default: MimeNode } = await import('nodemailer/lib/mime-node')
  const node = new MimeNode('text/plain; charset=utf-8', { newline: '\r\n' })
  node.setHeader({
    from: { name: 'mailflow validation', address: from },
    to: recipients.map((address) => ({ name: '', address })),
    subject: `Test of the outbound connector ${name}`,
    date: at.toUTCString().replace('GMT', '+0000'),
    'message-id': `<${ulid(at.getTime())}@${hostname}>`,
    // RFC 3834 §5
    'auto-submitted': 'auto-generated',
  })
  node.setContent(
    [
      `This is a test message from the mail system at ${hostname}.`,
      '',
      'An administrator is checking how this system sends mail to you:',
      `outbound connector ${name} (${id}).`,
      '',
      'You received this, so mail arrives. You need not do anything.',
      '',
    ].join('\r\n'),
  )
  const message = { envelope: basicEnvelope(from) }
  return { message, recipients: recipients.map(newRecipient), content: await node.build(), tls }
}

/** Sends the test message. The step succeeds when the message is accepted for every recipient. */
export async function sendTestMessage(
  mail: OutboundMessage,
  send: (mail: OutboundMessage) => Promise<Outcomes>,
): Promise<ValidationStep> {
  const { value: outcomes, durationMs } = await measureDuration(() => send(mail))
  const all = [...outcomes]
  const [, first] = all[0] ?? []
  return stepOf({
    step: 'TestMail',
    host: first?.host ?? null,
    ip: first?.ip ?? null,
    succeeded: all.every(([, { outcome }]) => outcome === 'Delivered'),
    detail: describeOutcomes(all),
    durationMs,
    tls: first?.tls
      ? { protocol: first.tls.protocol, cipher: first.tls.cipher, group: first.tls.group }
      : null,
  })
}

/** Failures come first, because the text may be shortened. */
function describeOutcomes(outcomes: readonly [string, Outcome][]): string {
  const failed = outcomes.filter(([, { outcome }]) => outcome !== 'Delivered')
  const accepted = outcomes.filter(([, { outcome }]) => outcome === 'Delivered')
  return [...failed, ...accepted]
    .map(([address, { reply }]) => `${address}: ${formatReply(reply)}`)
    .join('; ')
}

export const notSentStep = (detail: string): ValidationStep =>
  stepOf({ step: 'TestMail', succeeded: false, detail })
