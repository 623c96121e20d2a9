/** `/health`: the states of the stack's alarms. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { Health, type HealthAlarm } from '../../../shared/contract/health.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'
import { describeHealth, unknownHealth } from '../describe-health.ts'

export interface HealthDependencies {
  alarms: { read(): Promise<HealthAlarm[]> }
  logger: Pick<Logger, 'warn'>
}

/** A failure of CloudWatch is an answer, and no error: an error would raise the alarm "API answers 5xx". */
export const healthRoute = ({ alarms, logger }: HealthDependencies): Route =>
  route(
    {
      method: 'GET',
      path: '/health',
      role: 'read',
      summary: 'Read the health of the gateway: its alarms, and what they mean together',
      answers: { 200: Health },
    },
    async () => {
      try {
        return { status: 200, body: describeHealth(await alarms.read()) }
      } catch (error) {
        logger.warn('The alarms cannot be read', error as Error)
        return { status: 200, body: unknownHealth((error as Error).name) }
      }
    },
  )
