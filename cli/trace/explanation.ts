/** Formats an explanation: the verdict first, then the considered connectors with their reasons. */
import * as z from 'zod'
import { printable } from '../text/format.ts'
import { indentParagraph } from '../text/table.ts'
import { ConsideredConnector, consideredConnectorsText } from './considered-connectors.ts'
import { certificateText, tlsRequirementText } from './session-text.ts'
import { ClientCertificate, Verdict } from './trace-entry.ts'

const Route = z.object({
  kind: z.string(),
  domain: z.string().optional(),
  hosts: z.array(z.object({ host: z.string(), port: z.int() })).optional(),
})

const Requirement = z.object({
  level: z.string(),
  mode: z.string(),
  tlsDomain: z.string().nullable(),
  minimumTlsVersion: z.string(),
  smtpDaneMode: z.string().default('Opportunistic'),
  mtaStsMode: z.string().default('Opportunistic'),
})

const Recipient = z.object({
  address: z.string(),
  inSession: z.string(),
  recipientCheck: z.string().nullable().default(null),
  verdict: Verdict,
  route: Route.nullable(),
  tls: Requirement.nullable(),
  considered: z.array(ConsideredConnector),
})

export const Explanation = z.object({
  connectorsVersion: z.int(),
  clientCertificate: ClientCertificate.nullable(),
  considered: z.array(ConsideredConnector),
  warnings: z.array(z.string()).default([]),
  recipients: z.array(Recipient),
})
export type Explanation = z.output<typeof Explanation>

export function explanationText({
  recipients,
  considered,
  warnings,
  clientCertificate,
}: Explanation): string {
  return [
    ...recipients.flatMap((recipient) => [...recipientLines(recipient), '']),
    ...(clientCertificate === null
      ? []
      : ['Client certificate:', ...certificateText(clientCertificate).map((text) => `  ${text}`), '']),
    ...connectorLines('Inbound connectors', considered),
    ...warnings.map((warning) => indentParagraph(printable(`Warning: ${warning}`), 2)),
    ...recipients.flatMap(({ address, considered: both }) => {
      const inbound = both.filter(({ direction }) => direction === 'Inbound')
      const outbound = both.filter(({ direction }) => direction !== 'Inbound')
      return [
        '',
        ...(inbound.length > 0
          ? connectorLines(`Inbound connectors for ${printable(address)}`, inbound)
          : []),
        ...connectorLines(`Outbound connectors for ${printable(address)}`, outbound),
      ]
    }),
  ].join('\n')
}

const actions: Readonly<Record<string, string>> = {
  // The next hop may still refuse the message, so the text does not promise delivery.
  Deliver: 'would be sent',
  Defer: 'would be deferred',
  Bounce: 'would be refused',
}

function recipientLines({
  address,
  inSession,
  recipientCheck,
  verdict,
  route,
  tls,
}: z.output<typeof Recipient>): string[] {
  const { action, reason, explanation, reply, reportOnly } = verdict
  // The verdict is about accepted mail, and the ingress does not accept a recipient that does not exist.
  if (action !== 'Bounce' && recipientCheck !== null && !inSession.startsWith('2'))
    return [
      `${printable(address)}: would be refused (UnknownRecipient)`,
      indentParagraph(printable(recipientCheck), 2),
      `  Reply to RCPT TO: ${printable(inSession)}`,
    ]
  return [
    `${printable(address)}: ${actions[action] ?? action} (${reason})`,
    indentParagraph(printable(explanation), 2),
    `  Reply to RCPT TO: ${printable(inSession)}`,
    ...(recipientCheck === null ? [] : [indentParagraph(printable(recipientCheck), 2)]),
    ...(reply === null ? [] : [`  ${dsnReplyLabel(inSession)}: ${printable(reply)}`]),
    ...(reportOnly === null ? [] : [`  Report only, requirement not met: ${printable(reportOnly)}`]),
    ...(route === null
      ? []
      : [
          `  It would be sent ${routeText(route)}, ${tls === null ? 'with the TLS that Amazon SES negotiates' : requirementText(tls)}.`,
        ]),
  ]
}

/**
 * mailflow sends no DSN about a recipient that it refuses in session. Such a DSN is sent only for a message that was
 * accepted under earlier connectors.
 */
const dsnReplyLabel = (inSession: string): string =>
  inSession.startsWith('2')
    ? 'Reply in the DSN'
    : 'Reply in the DSN, for a message accepted under earlier connectors'

function routeText({ kind, domain, hosts = [] }: z.output<typeof Route>): string {
  if (kind === 'Mx') return `to the MX hosts of ${domain}`
  if (kind === 'SmartHosts')
    return `through smart host ${hosts.map(({ host, port }) => `${host}:${port}`).join(', ')}`
  return 'through Amazon SES'
}

function requirementText({
  level,
  mode,
  tlsDomain,
  minimumTlsVersion,
  smtpDaneMode,
  mtaStsMode,
}: z.output<typeof Requirement>): string {
  const name = tlsDomain === null ? '' : ` for ${tlsDomain}`
  const requirements = tlsRequirementText({ level: `${level}${name}`, smtpDaneMode, mtaStsMode })
  if (requirements === 'Opportunistic')
    return 'over TLS if offered, else in the clear unless DANE or MTA-STS applies'
  const requirement = `${requirements}, ${minimumTlsVersion} or later`
  return mode === 'ReportOnly' ? `with ${requirement} (report only)` : `only with ${requirement}`
}

function connectorLines(title: string, considered: readonly ConsideredConnector[]): string[] {
  if (considered.length === 0) return [`${title}: none applies.`]
  return [`${title}, in order of precedence:`, ...consideredConnectorsText(considered, 2)]
}
