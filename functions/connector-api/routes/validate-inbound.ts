/** `POST /inbound-connectors/{id}/validate`: checks an inbound connector against received mail. */
import * as z from 'zod'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { isUlid } from '../../../shared/http-api/lists.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import { type Dependencies, InboundValidation, validateInbound } from '../inbound-validation.ts'
import { notFoundProblem } from './write-responses.ts'

const defaultDays = 7
const maxDays = 30
const daysDescription = `days to look back; default: ${defaultDays}`

const ValidationQuery = z.strictObject({
  days: z.coerce.number().int().min(1).max(maxDays).optional().describe(daysDescription),
})
export const InboundValidationInput = z.strictObject({
  days: z.int().min(1).max(maxDays).optional().describe(daysDescription),
})

export function validateInboundRoute(
  { inbound }: ConnectorRepository,
  snapshot: () => Promise<Pick<Snapshot, 'acceptedDomains'>>,
  dependencies: Dependencies,
): Route {
  return route(
    {
      method: 'POST',
      path: '/inbound-connectors/{id}/validate',
      role: 'operate',
      summary: 'Check an inbound connector against the mail of the last days',
      query: ValidationQuery,
      body: InboundValidationInput,
      bodyName: 'InboundValidationInput',
      bodyOptional: true,
      answers: { 200: InboundValidation },
      problems: [404],
    },
    async ({ parameter, query, body }) => {
      const connector = isUlid(parameter) ? await inbound.get(parameter) : null
      if (!connector) throw notFoundProblem('inbound connector')
      const days = body.days ?? query.days ?? defaultDays
      const { acceptedDomains } = await snapshot()
      return { status: 200, body: await validateInbound(connector, acceptedDomains, days, dependencies) }
    },
  )
}
