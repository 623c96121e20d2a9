/** The message that proves the whole way: who reads it is told what it is, and no machine need answer it. */
import MimeNode from 'nodemailer/lib/mime-node'
import { ulid } from 'ulid'
import type { OutboundConnector } from '../../shared/connectors/schema.ts'
import type { ValidationStep } from '../../shared/connectors/validation.ts'
import type { TlsRequirement } from '../../shared/contract/jobs.ts'
import { plainEnvelope, untried } from '../../shared/contract/message.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import type { Mail, Outcome, Outcomes } from '../../shared/net/smtp-delivery.ts'
import { stepOf, timed } from './steps.ts'

export interface TestMail {
  /** An address of an accepted domain. */
  from: string
  recipients: readonly string[]
  /** Our own name. */
  hostname: string
  at: Date
}

export async function composeTestMail(
  { name, id }: OutboundConnector,
  tls: TlsRequirement,
  { from, recipients, hostname, at }: TestMail,
): Promise<Mail> {
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
      `This is a test mail of the mail system at ${hostname}.`,
      '',
      'An administrator is checking the way that mail for you takes from there:',
      `outbound connector ${name} (${id}).`,
      '',
      'That you read this says that mail arrives. Nothing needs to be done.',
      '',
    ].join('\r\n'),
  )
  const message = { envelope: plainEnvelope(from) }
  return { message, recipients: recipients.map(untried), content: await node.build(), tls }
}

/** Sends it and tells what came of it; it succeeded when it was taken for every recipient. */
export async function sendTestMail(
  mail: Mail,
  send: (mail: Mail) => Promise<Outcomes>,
): Promise<ValidationStep> {
  const { value: outcomes, durationMs } = await timed(() => send(mail))
  const all = [...outcomes]
  const [, first] = all[0] ?? []
  return stepOf({
    step: 'TestMail',
    host: first?.host ?? null,
    ip: first?.ip ?? null,
    succeeded: all.every(([, { outcome }]) => outcome === 'Delivered'),
    detail: describe(all),
    durationMs,
    tls: first?.tls
      ? { protocol: first.tls.protocol, cipher: first.tls.cipher, group: first.tls.group }
      : null,
  })
}

/** Those that failed come first: of many only the first may have room. */
function describe(outcomes: readonly [string, Outcome][]): string {
  const failed = outcomes.filter(([, { outcome }]) => outcome !== 'Delivered')
  const taken = outcomes.filter(([, { outcome }]) => outcome === 'Delivered')
  return [...failed, ...taken].map(([address, { reply }]) => `${address}: ${formatReply(reply)}`).join('; ')
}

export const notSent = (detail: string): ValidationStep =>
  stepOf({ step: 'TestMail', succeeded: false, detail })
