/** Mail that waits: why, until when, and what can be done with it. */
import Alert from '@cloudscape-design/components/alert'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Flashbar from '@cloudscape-design/components/flashbar'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { QueueList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { useConnectorNames } from '../../api/use-connector-names.ts'
import { Remote } from '../../components/remote.tsx'
import { useViewState } from '../../use-view-state.ts'
import { ActModal } from './act-modal.tsx'
import { actTexts, type QueueAct, queueKey, resultText } from './acts.ts'
import { QueueFilters } from './queue-filters.tsx'
import { QueueTable } from './queue-table.tsx'
import { kindOf } from './reason-text.ts'
import type { ActResult } from './send-act.ts'

const refetchMs = 10_000

interface Finished {
  act: QueueAct
  result: ActResult
  isStopped: boolean
}

export default function Queues() {
  const [{ partner, direction, reason, connector, kind }] = useViewState()
  const result = useRead<QueueList>('/queues', { partner, direction, reason, connector }, refetchMs)
  const connectors = useConnectorNames().data ?? []
  const [selectedKeys, setSelectedKeys] = useState<ReadonlySet<string>>(new Set())
  const [act, setAct] = useState<QueueAct | null>(null)
  const [finished, setFinished] = useState<Finished | null>(null)
  const queries = useQueryClient()
  const isFiltered = [partner, direction, reason, connector, kind].some((value) => value !== undefined)
  return (
    <ContentLayout
      header={
        <Header variant="h1" description="Mail that an inbound connector holds, or that is sent later.">
          Held and deferred
        </Header>
      }
    >
      <SpaceBetween size="m">
        {finished !== null && (
          <Flashbar items={[{ id: 'finished', ...flashOf(finished), onDismiss: () => setFinished(null) }]} />
        )}
        <QueueFilters connectors={connectors} />
        <Remote what="the mail that waits" result={result}>
          {(list) => {
            const groups = list.items.filter((group) => kind === undefined || kindOf(group.reason) === kind)
            const selected = groups.filter((group) => selectedKeys.has(queueKey(group)))
            return (
              <SpaceBetween size="m">
                <Incomplete list={list} />
                <QueueTable
                  groups={groups}
                  selected={selected}
                  connectors={connectors}
                  isFiltered={isFiltered}
                  onSelect={(groups) => setSelectedKeys(new Set(groups.map(queueKey)))}
                  onAct={setAct}
                  onRefresh={() => void result.refetch()}
                />
                {act !== null && (
                  <ActModal
                    act={act}
                    selected={selected}
                    connectors={connectors}
                    onClose={(outcome) => {
                      setAct(null)
                      if (outcome === null) return
                      setFinished({ act, ...outcome })
                      setSelectedKeys(new Set())
                      void queries.invalidateQueries({ queryKey: ['/queues'] })
                    }}
                  />
                )}
              </SpaceBetween>
            )
          }}
        </Remote>
      </SpaceBetween>
    </ContentLayout>
  )
}

function Incomplete({ list: { omitted, complete } }: { list: QueueList }) {
  return (
    <>
      {omitted > 0 && (
        <Alert type="info">{countText(omitted, 'group')} not listed. Use the filters to select.</Alert>
      )}
      {!complete && (
        <Alert type="warning">
          The API ran out of time: more mail waits than these numbers say. Use the filters, or try again.
        </Alert>
      )}
    </>
  )
}

const flashOf = ({ act, result, isStopped }: Finished) => ({
  type: result.recipients === 0 || isStopped ? ('info' as const) : ('success' as const),
  dismissible: true,
  dismissLabel: 'Dismiss',
  header: isStopped ? `${actTexts[act].title}: stopped` : actTexts[act].title,
  content: (
    <>
      {resultText(act, result)}
      {result.skipped.map(({ id, why }) => (
        <div key={id}>{`Skipped ${id}: ${why}`}</div>
      ))}
    </>
  ),
})
