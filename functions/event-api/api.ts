/** Builds the API over the events from its stores: routes, problem responses and request log. */
import { createHttpApi, type HttpApi, type HttpApiOptions } from '../../shared/http-api/http-api.ts'
import { type ReportDependencies, reportRoutes } from './routes/reports.ts'

export interface Dependencies extends Omit<HttpApiOptions, 'afterWrite'> {
  reports: Omit<ReportDependencies, 'now'>
}

export const createEventApi = ({ reports, ...options }: Dependencies): HttpApi =>
  createHttpApi(reportRoutes({ ...reports, now: options.now }), options)
