/** `POST /inbound-connectors/{id}/validate`: checks an inbound connector against received mail. */
import { z } from 'zod'
import type { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { type Dependencies, InboundValidation, validateInbound } from '../inbound-validation.ts'
import { type Route, route } from '../route.ts'
import { isId } from './lists.ts'
import { notFound } from './outcomes.ts'

const defaultDays = 7
const maxDays = 30
const whatDays = `days to look back; default: ${defaultDays}`

const ValidationQuery = z.strictObject({
  days: z.coerce.number().int().min(1).max(maxDays).optional().describe(whatDays),
})
export const InboundValidationInput = z.strictObject({
  days: z.int().min(1).max(maxDays).optional().describe(whatDays),
})

export function validateInboundRoute({ inbound }: ConnectorRepository, dependencies: Dependencies): Route {
  return route(
    {
      method: 'POST',
      path: '/inbound-connectors/{id}/validate',
      summary: 'Evaluate the mail of the last days by an inbound connector',
      query: ValidationQuery,
      body: InboundValidationInput,
      bodyOptional: true,
      answers: { 200: InboundValidation },
      problems: [404],
    },
    async ({ parameter, query, body }) => {
      const connector = isId(parameter) ? await inbound.get(parameter) : null
      if (!connector) throw notFound('inbound connector')
      const days = body.days ?? query.days ?? defaultDays
      return { status: 200, body: await validateInbound(connector, days, dependencies) }
    },
  )
}
