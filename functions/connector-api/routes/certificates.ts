/** `/certificates`: the certificates of the ingress, as published to partners. */
import type { PublishedCertificatesItem } from '../../../shared/connectors-table/published-certificates.ts'
import { PublishedCertificates } from '../../../shared/contract/certificates.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { descriptionAt } from '../../../shared/tls/description-at.ts'

export interface CertificateDependencies {
  published: Pick<PublishedCertificatesItem, 'read'>
  /** Milliseconds since the epoch. */
  now(): number
}

export const certificatesRoute = ({ published, now }: CertificateDependencies): Route =>
  route(
    {
      method: 'GET',
      path: '/certificates',
      role: 'read',
      summary: 'Read the published certificates: current, next and deprecated',
      answers: { 200: PublishedCertificates },
      problems: [404],
    },
    async () => {
      const stored = await published.read()
      if (!stored)
        throw new Problem(
          404,
          'No certificate is published yet. The first is published within an hour of a deployment.',
        )
      return { status: 200, body: descriptionAt(stored, new Date(now())) }
    },
  )
