/** Partners: the pair of connectors of each, what they require, and what happened in the last 7 days. */

import Button from '@cloudscape-design/components/button'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useMemo } from 'react'
import { useLocation } from 'wouter'
import type { ObservedCertificates, QueueList, Report } from '../api/types.ts'
import { useRead } from '../api/use-api.ts'
import { useReadAll } from '../api/use-read-all.ts'
import { useMay } from '../api/use-roles.ts'
import { Failure } from '../components/failure.tsx'
import { useAtTime } from '../components/use-at-time.ts'
import { DaysControl } from './partners/days-control.tsx'
import { firstDay } from './partners/partner-numbers.ts'
import { partnerRows, type Sources } from './partners/partner-rows.ts'
import { PartnerTable } from './partners/partner-table.tsx'
import { RemovedNotice } from './partners/saved-notice.tsx'
import { usePairs } from './partners/use-connectors.ts'
import { useDays } from './partners/use-days.ts'

const refetchMs = 30_000
const certificatesLimit = 100
const nothing = { rows: [] }

const stateOf = ({ data, error }: { data: unknown; error: unknown }): Sources[keyof Sources] =>
  data !== undefined ? 'Ready' : error === null ? 'Pending' : 'Failed'

export default function Partners() {
  const [, navigate] = useLocation()
  const mayAdminister = useMay('administer')
  const { inbound, outbound, pairs } = usePairs()
  const { days } = useDays()
  const from = useAtTime((now) => firstDay(now, days))
  const tls = useRead<Report>('/reports/connector-tls', { from }, refetchMs)
  const rejected = useRead<Report>('/reports/rejected', { from }, refetchMs)
  const queues = useRead<QueueList>('/queues', {}, refetchMs)
  const certificates = useReadAll<ObservedCertificates>('/certificates/observed', certificatesLimit)
  const rows = useMemo(
    () =>
      pairs &&
      partnerRows(pairs, {
        tls: tls.data ?? nothing,
        rejected: rejected.data ?? nothing,
        queues: queues.data ?? { items: [] },
        certificates: certificates.data ?? [],
      }),
    [pairs, tls.data, rejected.data, queues.data, certificates.data],
  )
  const all = [inbound, outbound, tls, rejected, queues, certificates]
  const failed = all.find(({ error, data }) => error !== null && data === undefined)
  const sources = {
    tls: stateOf(tls),
    rejected: stateOf(rejected),
    queues: stateOf(queues),
    certificates: stateOf(certificates),
  }
  const failure = failed?.error && (
    <Failure
      title={rows === null ? 'Cannot read the connectors' : 'Some numbers are missing'}
      error={failed.error}
      retry={() => Promise.all(all.map(({ refetch }) => refetch()))}
    />
  )
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description={`A row has both connectors of a partner. Numbers are of the last ${days} days. Each leads to its page.`}
          actions={
            <SpaceBetween direction="horizontal" size="s" alignItems="end">
              <DaysControl />
              {mayAdminister && (
                <Button variant="primary" onClick={() => navigate('/partners/add')}>
                  Add a partner
                </Button>
              )}
            </SpaceBetween>
          }
        >
          Partners
        </Header>
      }
    >
      <SpaceBetween size="l">
        <RemovedNotice />
        {failure}
        {(rows !== null || !failure) && (
          <PartnerTable
            rows={rows ?? []}
            isLoading={rows === null}
            sources={sources}
            queuesComplete={queues.data === undefined || (queues.data.complete && queues.data.omitted === 0)}
          />
        )}
      </SpaceBetween>
    </ContentLayout>
  )
}
