/** A message: how it was received, what was decided and tried for each recipient, and what an administrator can do. */
import Alert from '@cloudscape-design/components/alert'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useParams } from 'wouter'
import type { MessageEvents, RejectedEvent, TraceEntry } from '../api/types.ts'
import { useRead } from '../api/use-api.ts'
import { useMay } from '../api/use-roles.ts'
import { Breadcrumbs } from '../components/breadcrumbs.tsx'
import { Remote } from '../components/remote.tsx'
import { TextOfOthers } from '../components/text-of-others.tsx'
import { EventsTable } from './message/events-table.tsx'
import { foundMessage } from './message/found-message.ts'
import { MessageActButtons } from './message/message-act-buttons.tsx'
import { requestedText } from './message/message-acts.ts'
import { RecipientStory } from './message/recipient-story.tsx'
import { NoSuchMessage, Refusal } from './message/refusal.tsx'
import { SessionDetails } from './message/session-details.tsx'

const refetchMs = 15_000
/** While a request of an administrator has no result yet. */
const soonMs = 2000
const soonDurationMs = 60_000

export default function Message() {
  const { id = '' } = useParams<{ id: string }>()
  return <MessageOfId key={id} id={id} />
}

function MessageOfId({ id }: { id: string }) {
  const path = `/messages/${encodeURIComponent(id)}`
  const [requested, setRequested] = useState<string | null>(null)
  const [isSoon, setSoon] = useState(false)
  const queries = useQueryClient()
  const interval = isSoon ? soonMs : refetchMs
  const trace = useRead<TraceEntry | RejectedEvent>(path, {}, interval)
  const events = useRead<MessageEvents>(`${path}/events`, {}, interval)
  const mayOperate = useMay('operate')
  const isUntraced = trace.data === undefined && trace.error?.status === 404
  const isUnrecorded = events.data === undefined && events.error?.status === 404
  const found = foundMessage(trace.data ?? null, isUntraced ? (isUnrecorded ? null : events.data) : undefined)
  const mayHaveEvents = found === null || found.kind === 'Message' || found.kind === 'EventsOnly'
  return (
    <ContentLayout
      breadcrumbs={<Breadcrumbs above={[{ text: 'Message trace', path: '/messages' }]} title="Message" />}
      header={
        <Header
          variant="h1"
          actions={
            found?.kind === 'Message' &&
            mayOperate && (
              <MessageActButtons
                entry={found.entry}
                onRequested={(act, recipients) => {
                  setRequested(requestedText(act, recipients))
                  setSoon(true)
                  setTimeout(() => setSoon(false), soonDurationMs)
                  for (const queryPath of [path, `${path}/events`, '/messages', '/queues'])
                    void queries.invalidateQueries({ queryKey: [queryPath] })
                }}
              />
            )
          }
        >
          Message
        </Header>
      }
    >
      <SpaceBetween size="l">
        {requested !== null && (
          <Alert type="success" dismissible onDismiss={() => setRequested(null)}>
            <TextOfOthers text={requested} />
          </Alert>
        )}
        {found?.kind === 'Nothing' && <NoSuchMessage />}
        {found?.kind === 'Refusal' && <Refusal refusal={found.refusal} />}
        {found?.kind === 'EventsOnly' && (
          <Alert type="info" header="The trace does not have this message">
            It may have expired. The recorded events below are kept longer. A new message appears after its
            first decision.
          </Alert>
        )}
        {!isUntraced && (
          <Remote what="the message" result={trace}>
            {() => found?.kind === 'Message' && <TracedMessage entry={found.entry} />}
          </Remote>
        )}
        {found?.kind === 'Message' && isUnrecorded && <EventsTable events={[]} unreadSince={null} />}
        {mayHaveEvents && !isUnrecorded && (
          <Remote what="the events of the message" result={events}>
            {(answer) => <EventsTable {...answer} />}
          </Remote>
        )}
      </SpaceBetween>
    </ContentLayout>
  )
}

const TracedMessage = ({ entry }: { entry: TraceEntry }) => (
  <SpaceBetween size="l">
    <SessionDetails entry={entry} />
    {entry.recipients.map((recipient) => (
      <RecipientStory key={recipient.address} recipient={recipient} />
    ))}
  </SpaceBetween>
)
