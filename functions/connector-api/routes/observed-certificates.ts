/** `/certificates/observed`: the certificates that partners and this gateway present, and their changes. */
import * as z from 'zod'
import { limitUpTo, listOf, listResponse } from '../../../shared/http-api/lists.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { cursorSchema } from '../../../shared/http-api/request.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { assessCertificateUse, daysLeft } from '../../../shared/tls/observed/expiry.ts'
import { Observation, ObservedCertificate } from '../../../shared/tls/observed/observation.ts'
import { type ObservedList, ObservedPosition } from '../../../shared/transport/observed-list.ts'

export const ObservedCertificates = Observation.extend({
  certificates: z
    .array(
      ObservedCertificate.extend({
        use: z
          .enum(['InUse', 'Superseded', 'NotSeen'])
          .describe(
            'Superseded: another certificate was first observed later; NotSeen: not observed for 30 days',
          ),
        daysLeft: z.int().describe('whole days until it expires; negative when it has expired'),
      }),
    )
    .describe('most recently observed first'),
})
export const ObservedCertificatesList = listOf(ObservedCertificates)

const ObservedQuery = z.strictObject({
  connector: z.ulid('is not the id of a connector').optional().describe('id of a connector'),
  expiringWithinDays: z.coerce
    .number()
    .int()
    .min(0)
    .max(3650)
    .optional()
    .describe(
      'only entries with a certificate in use that expires within this number of days, or has expired',
    ),
  cursor: cursorSchema(ObservedPosition).optional(),
  // A hundred entries with the longest certificates fit into the largest response of Lambda.
  limit: limitUpTo(100, 50),
})

export interface ObservedDependencies {
  observed: Pick<ObservedList, 'page'>
  /** Milliseconds since the epoch. */
  now(): number
}

export function observedCertificateRoutes({ observed, now }: ObservedDependencies): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/certificates/observed',
        role: 'read',
        summary: 'List the observed certificates of partners and of this gateway, by connector and host',
        query: ObservedQuery,
        answers: { 200: ObservedCertificatesList },
      },
      async ({ query: { connector = null, expiringWithinDays, cursor = null, limit } }) => {
        if (connector !== null && cursor !== null && !cursor.after.startsWith(`${connector}#`))
          throw new Problem(400, 'The query is not valid.', {
            errors: [{ path: 'cursor', message: 'belongs to a list of another connector' }],
          })
        const at = new Date(now())
        const expires = (observation: Observation): boolean =>
          expiringWithinDays === undefined ||
          observation.certificates.some(
            (certificate) =>
              assessCertificateUse(certificate, observation, at) === 'InUse' &&
              daysLeft(certificate, at) <= expiringWithinDays,
          )
        const page = await observed.page(connector, expires, { from: cursor, limit, now: at })
        return listResponse(
          page.observations.map((observation) => withUse(observation, at)),
          page.next,
        )
      },
    ),
  ]
}

function withUse(observation: Observation, at: Date): z.output<typeof ObservedCertificates> {
  const certificates = observation.certificates.map((certificate) => ({
    ...certificate,
    use: assessCertificateUse(certificate, observation, at),
    daysLeft: daysLeft(certificate, at),
  }))
  return { ...observation, certificates }
}
