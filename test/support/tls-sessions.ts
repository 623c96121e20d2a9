/** Sessions as a delivery records them, assessed in the real order of precedence. */
import type { TlsRequirement } from '../../shared/contract/jobs.ts'
import type { SessionRecord } from '../../shared/net/smtp-delivery.ts'
import { type MtaStsState, noMtaSts, type SenderRequest } from '../../shared/policy/hop-facts.ts'
import { opportunistic as noConnector } from '../../shared/policy/outbound.ts'
import { decideHop } from '../../shared/policy/transport-security.ts'
import {
  assessServerTls,
  type EstablishedTls,
  type ServerTls,
  unrequiredTlsResult,
} from '../../shared/tls/assess-server-tls.ts'

/** The time of the handshake. */
export const at = new Date('2026-02-03T12:00:00.000Z')

export const established = (fields: Partial<EstablishedTls> = {}): EstablishedTls => ({
  kind: 'Established',
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  group: null,
  trusted: true,
  trustedBy: [],
  trustError: null,
  names: { subjectAltNames: ['mx.partner.example'], commonName: null },
  fingerprint256: null,
  chain: [],
  certificates: [],
  ...fields,
})

export const wrongName = established({ names: { subjectAltNames: ['other.example'], commonName: null } })
export const noStartTls: ServerTls = { kind: 'NotOffered', serverReply: null }

export const stsPolicy = (mode: 'enforce' | 'testing' | 'none', mx = ['mx.partner.example']) => ({
  kind: 'Policy' as const,
  policy: { id: '1', mode, mx, maxAge: 604_800 },
})

export const connector = (fields: Partial<TlsRequirement> = {}): TlsRequirement => ({
  ...noConnector,
  level: 'DomainValidation',
  tlsDomain: 'agreed.example',
  ...fields,
})

export interface SessionInput {
  hop?: Partial<SessionRecord['hop']>
  mtaSts?: MtaStsState
  connector?: TlsRequirement
  senderRequest?: Partial<SenderRequest>
  tls?: ServerTls
}

const nothing: SenderRequest = { requireTls: false, tlsRequiredNo: false, isNotification: false }

export function session({
  hop,
  mtaSts = noMtaSts,
  connector = noConnector,
  senderRequest,
  tls = established(),
}: SessionInput) {
  const nextHop: SessionRecord['hop'] = {
    host: 'mx.partner.example',
    ip: '198.51.100.7',
    port: 25,
    foundBy: 'Mx',
    authentic: false,
    dane: { kind: 'None' },
    ...hop,
  }
  const domain = 'partner.example'
  const decision = decideHop(connector, { ...nothing, ...senderRequest }, { ...nextHop, domain }, mtaSts)
  const common = { domain, hop: nextHop, mtaSts, enforced: decision.enforced }
  if (decision.kind === 'Refuse') {
    const { result, reply } = decision.fault
    return { ...common, reportOnly: [], tls: null, result, reason: reply.text } satisfies SessionRecord
  }
  const reportOnlyFaults = decision.reportOnlyRequirements.map(
    ({ fault, requirement }) => fault ?? assessServerTls(requirement, tls, at),
  )
  const fault =
    assessServerTls(decision.enforced, tls, at) ??
    reportOnlyFaults.find((candidate) => candidate !== null) ??
    null
  return {
    ...common,
    reportOnly: decision.reportOnlyRequirements,
    tls,
    result: fault?.result ?? unrequiredTlsResult(tls),
    reason: fault?.reply.text ?? null,
  } satisfies SessionRecord
}
