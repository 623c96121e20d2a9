/** `POST /explain`: explains how mailflow would handle a message, and why. Sends and stores nothing. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as z from 'zod'
import type { RecipientLists } from '../../../shared/connectors-table/recipient-lists.ts'
import { AuthenticationResult, type MessageAuthentication } from '../../../shared/contract/authentication.ts'
import { DeliveryJob } from '../../../shared/contract/jobs.ts'
import { ClientCertificate, noTls, type TlsFacts } from '../../../shared/contract/message.ts'
import { invisibleFault } from '../../../shared/contract/visible-text.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { normaliseDomain } from '../../../shared/mail/domain.ts'
import { formatReply } from '../../../shared/mail/reply.ts'
import { VerdictEntry } from '../../../shared/messages/trace-entry.ts'
import type { Settings } from '../../../shared/policy/evaluate.ts'
import { Considered } from '../../../shared/policy/explain/considered.ts'
import { explain, type RecipientExplanation } from '../../../shared/policy/explain/explain.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { maxCertificates, predictCertificateFacts } from '../../../shared/tls/facts.ts'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import { hasDates } from '../../../shared/tls/validity.ts'
import { type ExplainedCheck, explainRecipientCheck } from '../recipient-checks.ts'

type Chain = [X509Certificate, ...X509Certificate[]]

const CertificateChain = z
  .string()
  .max(65_536)
  .transform((text, context): Chain => {
    const chain = parseChain(text)
    if (typeof chain !== 'string') return chain
    context.addIssue({ code: 'custom', message: chain })
    return z.NEVER
  })

const TlsInput = z
  .strictObject({
    negotiated: z.boolean(),
    protocol: z.enum(['TLSv1.2', 'TLSv1.3']).optional().describe('default: TLSv1.3'),
    clientCertificate: CertificateChain.optional().describe('PEM, leaf first; its chain may follow'),
  })
  .superRefine(({ negotiated, protocol, clientCertificate }, context) => {
    if (negotiated) return
    for (const [path, value] of Object.entries({ protocol, clientCertificate }))
      if (value !== undefined)
        context.addIssue({
          code: 'custom',
          path: [path],
          message: 'must be left out unless tls.negotiated is true',
        })
  })

/** The ingress refuses addresses with invisible characters before any connector is considered. */
function refuseInvisible(text: string, context: z.core.$RefinementCtx): void {
  const message = invisibleFault(text)
  if (message !== null) context.addIssue({ code: 'custom', message })
}

const headerValue = z
  .string()
  .max(255)
  .superRefine(refuseInvisible)
  .transform((text) => text.trim().toLowerCase())

export const ExplanationInput = z.strictObject({
  mailFrom: z
    .string()
    .max(320)
    .superRefine(refuseInvisible)
    .transform((text) => (text === '<>' ? '' : text))
    .describe('reverse path; empty or <> is the null reverse path'),
  rcptTo: z.array(z.string().min(1).max(320).superRefine(refuseInvisible)).min(1).max(100),
  ip: z
    .string()
    .refine((text) => isIP(text) !== 0, 'is not an IP address')
    .describe('address of the client'),
  tls: TlsInput.default({ negotiated: false }),
  exchangeOnline: z
    .strictObject({
      tenantIds: z.array(headerValue).max(2).default([]).describe('values of X-MS-Exchange-CrossTenant-Id'),
      originatorOrganizations: z.array(headerValue).max(2).default([]).describe('values of X-OriginatorOrg'),
    })
    .optional()
    .describe('what the message shows of its tenant; default: nothing'),
  dmarc: z
    .strictObject({
      result: AuthenticationResult.extract(['pass', 'fail', 'none', 'temperror', 'permerror']),
      fromDomain: z
        .string()
        .max(255)
        .transform((text, context) => {
          const domain = normaliseDomain(text.trim())
          if (domain !== null) return domain
          context.addIssue({ code: 'custom', message: `"${text}" is not a domain` })
          return z.NEVER
        })
        .describe('domain of From:'),
    })
    .optional()
    .describe('the result of DMARC (RFC 9989); default: none is assumed'),
})

export const ExplanationAnswer = z.strictObject({
  at: z.iso.datetime(),
  connectorsVersion: z.int().nonnegative().describe('number of changes of connectors and accepted domains'),
  clientCertificate: ClientCertificate.omit({ chain: true })
    .nullable()
    .describe('the certificate of the request, and whether it chains to a public root'),
  considered: z
    .array(Considered)
    .describe('inbound connectors for the first recipient, in the order of evaluation'),
  warnings: z.array(z.string()).describe('sentences on what the decision does not cover'),
  recipients: z.array(
    z.strictObject({
      address: z
        .string()
        .describe(
          "as the ingress stores it: in place of the gateway's postmaster the mailbox that gets the mail",
        ),
      inSession: z.string().describe('the reply to RCPT TO, or to the end of data'),
      recipientCheck: z
        .string()
        .nullable()
        .describe('how the ingress checks whether the recipient exists; null: it does not'),
      verdict: VerdictEntry.pick({
        action: true,
        reason: true,
        explanation: true,
        connectors: true,
        reportOnly: true,
        reply: true,
      }),
      route: DeliveryJob.shape.route.nullable().describe('how the message would be sent'),
      tls: DeliveryJob.shape.tls.nullable().describe('requirements on the next hop'),
      considered: z
        .array(Considered)
        .describe(
          'outbound connectors, in the order of evaluation; before them the inbound connectors, where they differ from those of the first recipient',
        ),
    }),
  ),
})

export interface ExplainDependencies {
  /** Returns the current connectors. */
  snapshot(): Promise<Snapshot>
  settings: Settings
  recipientLists: Pick<RecipientLists, 'readAll'>
  /** Root certificates in PEM. Always pass the same array: the array is the key of a cache of parsed certificates. */
  publicRoots: readonly string[]
  /** Milliseconds since the epoch. */
  now(): number
}

export function explainRoute({
  snapshot,
  settings,
  recipientLists,
  publicRoots,
  now,
}: ExplainDependencies): Route {
  return route(
    {
      method: 'POST',
      path: '/explain',
      role: 'read',
      summary: 'Explain how mailflow would handle a message, and why',
      body: ExplanationInput,
      bodyName: 'ExplanationInput',
      answers: { 200: ExplanationAnswer },
    },
    async ({ body }) => {
      const at = new Date(now())
      const connectors = await snapshot()
      const tls = tlsFactsOf(body.tls, { publicRoots, at })
      const { exchangeOnline, dmarc, ...message } = body
      const { considered, warnings, recipients } = explain(
        connectors,
        settings,
        {
          ...message,
          tls,
          ...(exchangeOnline && { exchangeOnline: { ...exchangeOnline, alignedSignatures: [] } }),
          ...(dmarc && { authentication: authenticationFor(dmarc, at) }),
        },
        at,
      )
      const response: z.input<typeof ExplanationAnswer> = {
        at: at.toISOString(),
        connectorsVersion: connectors.version,
        clientCertificate: withoutChain(tls.clientCertificate),
        considered,
        warnings,
        recipients: await Promise.all(
          recipients.map(async (recipient) =>
            recipientResponse(
              recipient,
              await explainRecipientCheck(recipient, connectors, settings, recipientLists),
            ),
          ),
        ),
      }
      return { status: 200, body: response }
    },
  )
}

function recipientResponse(
  { address, verdict, route, tls, considered }: RecipientExplanation,
  { inSession, recipientCheck }: ExplainedCheck,
) {
  const { action, reason, explanation, connectors, reportOnly } = verdict
  const reply = verdict.action === 'Deliver' ? null : formatReply(verdict.reply)
  return {
    address,
    inSession: formatReply(inSession),
    recipientCheck,
    verdict: { action, reason, explanation, connectors, reportOnly, reply },
    route,
    tls,
    considered,
  }
}

const authenticationFor = (
  dmarc: { result: AuthenticationResult; fromDomain: string },
  at: Date,
): MessageAuthentication => ({
  at: at.toISOString(),
  internal: null,
  spf: null,
  dkim: [],
  dmarc: { ...dmarc, policy: null, alignedBy: [] },
  arc: null,
  fields: '',
})

/** No revocation check runs for a hypothetical message. */
const assumedRevocation = { status: 'Good', detail: 'assumed' } as const

function tlsFactsOf(
  tls: z.output<typeof TlsInput>,
  trust: Parameters<typeof predictCertificateFacts>[1],
): TlsFacts {
  if (!tls.negotiated) return noTls
  const { protocol = 'TLSv1.3', clientCertificate } = tls
  return {
    ...noTls,
    negotiated: true,
    protocol,
    forwardSecrecy: true,
    clientCertificate: clientCertificate
      ? { ...predictCertificateFacts(clientCertificate, trust), revocation: assumedRevocation }
      : null,
  }
}

function withoutChain(certificate: ClientCertificate | null) {
  if (certificate === null) return null
  const { chain: _chain, ...fields } = certificate
  return fields
}

/** @returns the chain, or the fault of the text */
function parseChain(text: string): Chain | string {
  const blocks = certificatesIn(text)
  if (blocks.length === 0) return 'holds no certificate in PEM'
  if (blocks.length > maxCertificates) return `holds more than ${maxCertificates} certificates`
  const certificates = blocks.map(parseCertificate)
  const invalidIndex = certificates.indexOf(null)
  return invalidIndex < 0 ? (certificates as Chain) : `certificate ${invalidIndex + 1} cannot be read`
}

/**
 * Returns null for a certificate that cannot be read, or whose dates are invalid (OpenSSL can read such a certificate).
 */
function parseCertificate(block: string): X509Certificate | null {
  try {
    const certificate = new X509Certificate(block)
    return hasDates(certificate) ? certificate : null
  } catch {
    return null
  }
}
