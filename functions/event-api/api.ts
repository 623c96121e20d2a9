/** Builds the API over the events from its stores: routes, problem responses and request log. */
import { createHttpApi, type HttpApi, type HttpApiOptions } from '../../shared/http-api/http-api.ts'
import { type DryRunDependencies, dryRunRoutes } from './routes/dry-runs.ts'
import { type ErasureDependencies, erasureRoutes } from './routes/erasures.ts'
import { type SearchDependencies, searchRoutes } from './routes/message-searches.ts'
import { type ReportDependencies, reportRoutes } from './routes/reports.ts'
import { type TrailDependencies, trailRoute } from './routes/trail.ts'

/** What all routes depend on. */
type Common = 'now' | 'retentionDays' | 'readAddressHash'

export interface Dependencies extends Omit<HttpApiOptions, 'afterWrite'> {
  reports: Omit<ReportDependencies, Common>
  trails: TrailDependencies['trails']
  searches: Omit<SearchDependencies, Common>
  dryRuns: Pick<DryRunDependencies, 'store' | 'settings' | 'defaultRoute'>
  erasures: Omit<ErasureDependencies, Common>
  readAddressHash: ErasureDependencies['readAddressHash']
  retentionDays: number
}

export function createEventApi({
  reports,
  trails,
  searches,
  dryRuns,
  erasures,
  readAddressHash,
  retentionDays,
  ...options
}: Dependencies): HttpApi {
  const common = { readAddressHash, retentionDays, now: options.now }
  return createHttpApi(
    [
      ...reportRoutes({ ...reports, ...common }),
      trailRoute({ trails, ...common }),
      ...searchRoutes({ ...searches, ...common }),
      ...dryRunRoutes({ ...searches, ...dryRuns, snapshot: reports.snapshot, ...common }),
      ...erasureRoutes({ ...erasures, ...common }),
    ],
    options,
  )
}
