/** Builds the API over the events from its stores: routes, problem responses and request log. */
import { createHttpApi, type HttpApi, type HttpApiOptions } from '../../shared/http-api/http-api.ts'
import { type ReportDependencies, reportRoutes } from './routes/reports.ts'
import { type TrailDependencies, trailRoute } from './routes/trail.ts'

export interface Dependencies extends Omit<HttpApiOptions, 'afterWrite'> {
  reports: Omit<ReportDependencies, 'now' | 'retentionDays'>
  trails: TrailDependencies['trails']
  retentionDays: number
}

export function createEventApi({ reports, trails, retentionDays, ...options }: Dependencies): HttpApi {
  const common = { retentionDays, now: options.now }
  return createHttpApi(
    [...reportRoutes({ ...reports, ...common }), trailRoute({ trails, ...common })],
    options,
  )
}
