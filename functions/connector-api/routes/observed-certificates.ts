/** `/certificates/observed`: the certificates that partners and we ourselves show, and what changed. */
import { z } from 'zod'
import { Problem } from '../../../shared/http-api/problem.ts'
import { daysLeft, useOf } from '../../../shared/tls/observed/expiry.ts'
import { Observation, ObservedCertificate } from '../../../shared/tls/observed/observation.ts'
import { type ObservedList, ObservedPosition } from '../../../shared/transport/observed-list.ts'
import { cursorOf } from '../request.ts'
import { type Route, route } from '../route.ts'
import { limitUpTo, listAnswer, listOf } from './lists.ts'

export const ObservedCertificates = Observation.extend({
  certificates: z
    .array(
      ObservedCertificate.extend({
        use: z
          .enum(['InUse', 'Superseded', 'NotSeen'])
          .describe('Superseded: another was first seen since; NotSeen: not for 30 days'),
        daysLeft: z.int().describe('whole days until it expires, below 0 when it has'),
      }),
    )
    .describe('what was seen last comes first'),
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
    .describe('those in use that expire so soon, or have expired'),
  cursor: cursorOf(ObservedPosition).optional(),
  // A hundred places of the wordiest certificates still are an answer that Lambda gives.
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
        summary: 'List the certificates that partners and we ourselves show, by connector and host',
        query: ObservedQuery,
        answers: { 200: ObservedCertificatesList },
      },
      async ({ query: { connector = null, expiringWithinDays, cursor = null, limit } }) => {
        if (connector !== null && cursor !== null && !cursor.after.startsWith(`${connector}#`))
          throw new Problem(400, 'The query is not valid.', {
            errors: [{ path: 'cursor', message: 'is of a list of another connector' }],
          })
        const at = new Date(now())
        const expires = (observation: Observation): boolean =>
          expiringWithinDays === undefined ||
          observation.certificates.some(
            (one) => useOf(one, observation, at) === 'InUse' && daysLeft(one, at) <= expiringWithinDays,
          )
        const page = await observed.page(connector, expires, { from: cursor, limit, now: at })
        return listAnswer(
          page.observations.map((observation) => described(observation, at)),
          page.next,
        )
      },
    ),
  ]
}

function described(observation: Observation, at: Date): z.output<typeof ObservedCertificates> {
  const certificates = observation.certificates.map((one) => ({
    ...one,
    use: useOf(one, observation, at),
    daysLeft: daysLeft(one, at),
  }))
  return { ...observation, certificates }
}
