/** Edits a connector. */
import Alert from '@cloudscape-design/components/alert'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation, useParams } from 'wouter'
import type { ApiError } from '../api/api-error.ts'
import type { CallerAnswer, Configuration } from '../api/types.ts'
import { useApi, useRead } from '../api/use-api.ts'
import { AdministratorsOnly } from '../components/administrators-only.tsx'
import { Breadcrumbs } from '../components/breadcrumbs.tsx'
import { NotFound } from '../components/not-found.tsx'
import { Remote } from '../components/remote.tsx'
import { ViewLink } from '../components/view-link.tsx'
import type { ConnectorDirection } from './partners/connector-text.ts'
import { savedState } from './partners/saved-state.ts'
import { connectorPath, usePairs } from './partners/use-connectors.ts'
import { ConnectorWizard } from './wizard/connector-wizard.tsx'
import { type Connector, draftOf } from './wizard/draft.ts'
import { takeKeptInput } from './wizard/kept-input.ts'

const title = 'Edit a connector'

interface Place {
  /** Name of the pair. */
  name: string
  direction: ConnectorDirection
  id: string
}

export default function ConnectorEdit() {
  const { name = '', direction = '', id = '' } = useParams<Record<keyof Place, string>>()
  if (direction !== 'inbound' && direction !== 'outbound') return <NotFound />
  return (
    <AdministratorsOnly act="edit connectors" heading={<Header variant="h1">{title}</Header>}>
      <Loaded key={`${direction} ${id}`} name={name} direction={direction} id={id} />
    </AdministratorsOnly>
  )
}

function Loaded(place: Place) {
  const api = useApi()
  const path = connectorPath(place.direction, place.id)
  // Not kept: a change begins with the connector as it is now, and stays with that version.
  const connector = useQuery<Connector, ApiError>({
    queryKey: [path],
    queryFn: ({ signal }) => api.get<Connector>(path, {}, signal),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const configuration = useRead<Configuration>('/configuration')
  // Read for the partner's page, to which the person goes afterwards.
  usePairs()
  if (connector.data === undefined && connector.error?.status === 404)
    return (
      <SpaceBetween size="m">
        <Header variant="h1">{title}</Header>
        <Alert type="info" header={`There is no such ${place.direction} connector`}>
          Another person may have removed it. <ViewLink to="/partners">All partners</ViewLink>
        </Alert>
      </SpaceBetween>
    )
  return (
    <Remote what={`the ${place.direction} connector`} result={connector} heading={title}>
      {(base) => (
        <Remote what="the settings of the gateway" result={configuration} heading={title}>
          {({ defaultRoute }) => <ExistingConnector place={place} base={base} defaultRoute={defaultRoute} />}
        </Remote>
      )}
    </Remote>
  )
}

interface ExistingConnectorProps {
  place: Place
  base: Connector
  defaultRoute: Configuration['defaultRoute']
}

function ExistingConnector({ place: { name, direction, id }, base, defaultRoute }: ExistingConnectorProps) {
  // A form of anything else would be saved as this connector.
  if (base.id !== id) throw new TypeError('the answer is not this connector')
  const [, navigate] = useLocation()
  const { data: caller } = useRead<CallerAnswer>('/caller')
  const [{ start, keptAt }] = useState(() => {
    const kept = takeKeptInput({ path: location.pathname, person: caller?.name ?? '' })
    return {
      start: {
        draft: kept?.draft ?? draftOf(direction, { ...base }),
        base: kept?.base ?? base,
        defaultRoute,
      },
      keptAt: kept?.at ?? null,
    }
  })
  return (
    <>
      <Breadcrumbs
        above={[
          { text: 'Partners', path: '/partners' },
          { text: name, path: `/partners/${encodeURIComponent(name)}` },
        ]}
        title={`Edit ${base.name}`}
      />
      <ConnectorWizard
        start={start}
        keptAt={keptAt}
        backTo={`/partners/${encodeURIComponent(name)}`}
        onSaved={(saved) =>
          navigate(`/partners/${encodeURIComponent(saved.id)}`, { state: savedState(saved) })
        }
      />
    </>
  )
}
