/** `/certificates/unknown`: certificates that clients present and connectors do not accept. */
import * as z from 'zod'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import {
  AcceptedCertificate,
  CertificateFacts,
  CertificateRecord,
} from '../../../shared/contract/certificate.ts'
import { dayMs } from '../../../shared/contract/durations.ts'
import { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { NoticeEffect } from '../../../shared/contract/notice-groups.ts'
import { isUlid, limitUpTo, listOf, listResponse } from '../../../shared/http-api/lists.ts'
import { cursorSchema } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import {
  kindOf,
  type UnknownCertificate as StoredCertificate,
} from '../../../shared/messages/unknown-certificate-item.ts'
import type { UnknownCertificateList as StoredList } from '../../../shared/messages/unknown-certificate-list.ts'
import type { UnknownCertificateStore } from '../../../shared/messages/unknown-certificate-store.ts'
import { proposals, unknownState } from '../describe-unknown-certificate.ts'
import { RequestReason } from './waiting-mail.ts'
import { notFoundProblem } from './write-responses.ts'

/** A certificate that is dismissed causes no notice for this time. */
const dismissalMs = 90 * dayMs

const { connector: noticeConnector, remedies } = CertificateNotice.shape

const State = z.enum(['Open', 'Resolved', 'Dismissed'])

export const UnknownCertificate = z.strictObject({
  id: z.string().describe('of the connector and the certificate'),
  state: State.describe(
    "Resolved: the connector accepts the certificate now, requires none any more, or is deleted; Dismissed: an administrator said that it is not the partner's; otherwise Open",
  ),
  connector: z
    .strictObject({
      ...noticeConnector.shape,
      senderDomains: z.array(z.string()).describe('empty if the connector is deleted'),
      version: z.int().positive().nullable().describe('for If-Match; null if the connector is deleted'),
    })
    .describe('as it is now, or was when it was deleted'),
  trusted: z
    .boolean()
    .describe(
      "whether it is from the connector's authority and no public root, or trusted for a name in the sender domains: an attacker cannot create such a certificate",
    ),
  presented: CertificateRecord,
  accepted: AcceptedCertificate.nullable().describe(
    'the certificate that the connector accepted until then; null: none is recorded',
  ),
  why: z.string().describe('the faults of the certificate'),
  facts: CertificateFacts,
  tenant: z.string().nullable().describe('of Exchange Online, for mail from there; otherwise null'),
  senderDomain: z.string().nullable().describe('of the last presentation; null for a null reverse path'),
  ip: z.string().describe('of the client, at the last presentation'),
  firstSeen: z.iso.datetime(),
  lastSeen: z.iso
    .datetime()
    .describe('as far as it was reported: a process reports it once per hour and effect'),
  seenCount: z.int().positive().describe('number of these reports: it was presented at least this often'),
  effects: z
    .array(
      z.strictObject({
        effect: NoticeEffect.describe(
          'Refused: the mail was refused or bounced; Held: it waits; RecordedOnly: ReportOnly, so it was accepted; RelayDenied: it was treated as mail from the internet',
        ),
        firstSeen: z.iso.datetime(),
        lastSeen: z.iso.datetime(),
        heldUntil: z.iso.datetime().nullable().describe('when the last held mail bounces; otherwise null'),
        notices: z
          .strictObject({
            count: z.int().positive(),
            first: z.iso.datetime(),
            last: z.iso.datetime(),
          })
          .nullable()
          .describe('mails to the subscribers of the topic of notices; null: none was sent'),
      }),
    )
    .describe('what happened to the mail, and which notices were sent'),
  proposals: z
    .array(
      z.strictObject({
        ...remedies.element.shape,
        patch: z
          .record(z.string(), z.array(z.string()))
          .describe('body of PATCH /inbound-connectors/{id}, for the version of the connector'),
      }),
    )
    .describe(
      'additions to the connector that make it accept the certificate, the safest first; empty if none can, as after expiry',
    ),
  dismissal: z
    .strictObject({
      at: z.iso.datetime(),
      by: z.string().describe('IAM principal, or subject of the token'),
      reason: z.string(),
      until: z.iso.datetime().describe('until then, it causes no notice'),
    })
    .nullable()
    .describe('the last one; null if the certificate was never dismissed'),
})
type UnknownCertificate = z.output<typeof UnknownCertificate>

export const UnknownCertificateList = listOf(UnknownCertificate)

const position = z.strictObject({ before: z.string().min(1).max(200) })

const UnknownQuery = z.strictObject({
  connector: z.ulid('is not the id of a connector').optional().describe('id of a connector'),
  state: State.optional(),
  trusted: z
    .enum(['true', 'false'])
    .optional()
    .describe('true: only certificates that an attacker cannot create; false: only others'),
  cursor: cursorSchema(position).optional(),
  limit: limitUpTo(100, 50),
})

const DismissInput = z.strictObject({ reason: RequestReason.describe("why it is not the partner's") })

export interface UnknownCertificateDependencies {
  list: Pick<StoredList, 'page' | 'read'>
  store: Pick<UnknownCertificateStore, 'dismiss'>
  connectors: { get(id: string): Promise<InboundConnector | null> }
  /** Milliseconds since the epoch. */
  now(): number
}

export const unknownCertificateRoutes = (dependencies: UnknownCertificateDependencies): Route[] => [
  listRoute(dependencies),
  readRoute(dependencies),
  dismissRoute(dependencies),
]

const listRoute = ({ list, connectors, now }: UnknownCertificateDependencies): Route =>
  route(
    {
      method: 'GET',
      path: '/certificates/unknown',
      role: 'read',
      summary: 'List certificates that clients present and connectors do not accept, last presented first',
      query: UnknownQuery,
      answers: { 200: UnknownCertificateList },
    },
    async ({ query: { connector = null, state, trusted, cursor, limit } }) => {
      const at = new Date(now())
      const kinds = (['Trusted', 'Other'] as const).filter(
        (kind) => trusted === undefined || (kind === 'Trusted') === (trusted === 'true'),
      )
      const describe = connectorReader(connectors, at)
      const page = await list.page(
        { kinds, connector },
        { from: cursor?.before ?? null, limit, now: at },
        async (certificates) => {
          const described = await Promise.all(certificates.map(describe))
          return described.map((entry) => (state === undefined || entry.state === state ? entry : null))
        },
      )
      return listResponse(page.entries, page.next === null ? null : { before: page.next })
    },
  )

const readRoute = (dependencies: UnknownCertificateDependencies): Route =>
  route(
    {
      method: 'GET',
      path: '/certificates/unknown/{id}',
      role: 'read',
      summary: 'Read a certificate that a connector does not accept',
      answers: { 200: UnknownCertificate },
      problems: [404],
    },
    async ({ parameter }) => ({ status: 200, body: await readCertificate(parameter, dependencies) }),
  )

const dismissRoute = (dependencies: UnknownCertificateDependencies): Route =>
  route(
    {
      method: 'POST',
      path: '/certificates/unknown/{id}/dismiss',
      role: 'operate',
      summary: "Record that a certificate is not the partner's: it causes no notice for 90 days",
      body: DismissInput,
      bodyName: 'DismissInput',
      answers: { 200: UnknownCertificate },
      problems: [404],
    },
    async ({ parameter, body: { reason }, caller }) => {
      const at = dependencies.now()
      const dismissal = {
        at: new Date(at).toISOString(),
        by: caller,
        reason,
        until: new Date(at + dismissalMs).toISOString(),
      }
      const certificate = await readStored(parameter, dependencies)
      const { connector, presented } = certificate.notice
      if (!(await dependencies.store.dismiss(connector.id, presented.fingerprint256, dismissal)))
        throw notFoundProblem(resourceName)
      const describe = connectorReader(dependencies.connectors, new Date(at))
      return { status: 200, body: await describe({ ...certificate, dismissal }) }
    },
  )

const resourceName = 'unknown certificate'

/** The digest is shorter than in hexadecimal, so that an id fits a line of a terminal. */
const idOf = (connector: string, fingerprint256: string): string =>
  `${connector}-${Buffer.from(fingerprint256, 'hex').toString('base64url')}`

async function readCertificate(
  id: string,
  dependencies: UnknownCertificateDependencies,
): Promise<UnknownCertificate> {
  const certificate = await readStored(id, dependencies)
  return connectorReader(dependencies.connectors, new Date(dependencies.now()))(certificate)
}

/** @throws Problem 404 */
async function readStored(
  id: string,
  { list, now }: Pick<UnknownCertificateDependencies, 'list' | 'now'>,
): Promise<StoredCertificate> {
  const [, connector = '', digest = ''] = /^([^-]+)-([\w-]{43})$/.exec(id) ?? []
  const found = isUlid(connector)
    ? await list.read(connector, Buffer.from(digest, 'base64url').toString('hex'), new Date(now()))
    : null
  if (found === null) throw notFoundProblem(resourceName)
  return found
}

/** Returns a function that describes certificates, and reads each connector once. */
function connectorReader(
  connectors: UnknownCertificateDependencies['connectors'],
  now: Date,
): (certificate: StoredCertificate) => Promise<UnknownCertificate> {
  const known = new Map<string, Promise<InboundConnector | null>>()
  const read = (id: string) => {
    const reading = known.get(id) ?? connectors.get(id)
    known.set(id, reading)
    return reading
  }
  return async (certificate) =>
    describeCertificate(certificate, await read(certificate.notice.connector.id), now)
}

function describeCertificate(
  certificate: StoredCertificate,
  connector: InboundConnector | null,
  now: Date,
): UnknownCertificate {
  const { notice, accepted, firstSeen, lastSeen, seenCount, effects, dismissal } = certificate
  const { presented, why, facts, tenant = null, senderDomain, ip } = notice
  const { keyType = null, publicKeyFingerprint256 = null } = presented
  const { id, name, connectorType, mode, onViolation } = connector ?? notice.connector
  return {
    id: idOf(id, presented.fingerprint256),
    state: unknownState(certificate, connector, now),
    connector: {
      ...{ id, name, connectorType, mode, onViolation },
      senderDomains: connector?.senderDomains ?? [],
      version: connector?.version ?? null,
    },
    trusted: kindOf(notice) === 'Trusted',
    presented: { ...presented, keyType, publicKeyFingerprint256 },
    ...{ accepted, why, facts, tenant, senderDomain, ip, firstSeen, lastSeen, seenCount, effects },
    proposals: proposals(notice, connector, now),
    dismissal,
  }
}
