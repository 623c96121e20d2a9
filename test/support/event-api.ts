/** The API over events, with a store in memory. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { createEventApi, type Dependencies } from '../../functions/event-api/api.ts'
import { TrailReader } from '../../functions/event-api/trail.ts'
import { Erasures } from '../../shared/events/erasures.ts'
import { EventCounts } from '../../shared/events/event-counts.ts'
import type { EventStore } from '../../shared/events/event-store.ts'
import { UnsealedEvents } from '../../shared/events/unsealed-events.ts'
import { requestsTo } from './api-client.ts'
import { memoryEventStore } from './event-store.ts'
import { snapshot } from './fixtures.ts'

export const silentLogger = { info() {}, warn() {}, error() {} } as unknown as Logger

const noSearch = () => Promise.reject(new Error('this test has no searches'))

export function createTestEventApi({
  store = memoryEventStore(),
  now = Date.now,
  connectors = snapshot({}),
  reports = {},
  searches = {},
  roles = null,
  erasures = {},
  readAddressHash = async () => null,
}: {
  store?: Pick<EventStore, 'get' | 'list' | 'put'>
  now?: () => number
  connectors?: ReturnType<typeof snapshot>
  reports?: Partial<Dependencies['reports']>
  searches?: Partial<Dependencies['searches']>
  roles?: Dependencies['roles']
  erasures?: Partial<Dependencies['erasures']>
  readAddressHash?: Dependencies['readAddressHash']
} = {}) {
  const api = createEventApi({
    reports: {
      counts: new EventCounts(store, new UnsealedEvents(store, now)),
      snapshot: async () => connectors,
      tlsReports: async () => [],
      ownCertificates: async () => [],
      waitingGroups: async () => [],
      ...reports,
    },
    trails: new TrailReader(store, new UnsealedEvents(store, now)),
    searches: {
      search: { start: noSearch, status: noSearch, page: noSearch },
      table: 'events',
      linkTo: async (key) => `https://events.example/${key}`,
      firstUnsealedHour: () => new UnsealedEvents(store, now).firstHour(),
      ...searches,
    },
    dryRuns: {
      store,
      settings: { defaultRoute: 'Mx', postmaster: { hostname: 'mx.ours.example', mailbox: null } },
      defaultRoute: 'Mx',
    },
    erasures: {
      erasures: new Erasures(store, now),
      unsettled: { find: async () => ({ count: 0, ids: [], isComplete: true }) },
      events: { send: async () => {} },
      start: () => Promise.reject(new Error('this test has no erasures')),
      ...erasures,
    },
    readAddressHash,
    retentionDays: 90,
    roles,
    logger: silentLogger,
    now,
  })
  return Object.assign(requestsTo(api), { api })
}
