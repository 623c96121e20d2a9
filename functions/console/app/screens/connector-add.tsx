/** Adds a connector. */
import Header from '@cloudscape-design/components/header'
import { useState } from 'react'
import { useLocation, useSearch } from 'wouter'
import type { CallerAnswer, Configuration } from '../api/types.ts'
import { useRead } from '../api/use-api.ts'
import { AdministratorsOnly } from '../components/administrators-only.tsx'
import { Breadcrumbs } from '../components/breadcrumbs.tsx'
import { Remote } from '../components/remote.tsx'
import type { ConnectorDirection } from './partners/connector-text.ts'
import { findPair, type Pair } from './partners/partner-pairs.ts'
import { savedState } from './partners/saved-state.ts'
import { usePairs } from './partners/use-connectors.ts'
import { ConnectorWizard } from './wizard/connector-wizard.tsx'
import { newDraft } from './wizard/draft.ts'
import { takeKeptInput } from './wizard/kept-input.ts'

const title = 'Add a connector'

export default function ConnectorAdd() {
  return (
    <>
      <Breadcrumbs above={[{ text: 'Partners', path: '/partners' }]} title={title} />
      <AdministratorsOnly act="add connectors" heading={<Header variant="h1">{title}</Header>}>
        <Loaded />
      </AdministratorsOnly>
    </>
  )
}

function Loaded() {
  const configuration = useRead<Configuration>('/configuration')
  const { inbound, outbound, pairs } = usePairs()
  return (
    <Remote what="the settings of the gateway" result={configuration} heading={title}>
      {({ defaultRoute }) => (
        <Remote what="the inbound connectors" result={inbound} heading={title}>
          {() => (
            <Remote what="the outbound connectors" result={outbound} heading={title}>
              {() => <NewConnector pairs={pairs ?? []} defaultRoute={defaultRoute} />}
            </Remote>
          )}
        </Remote>
      )}
    </Remote>
  )
}

interface NewConnectorProps {
  pairs: readonly Pair[]
  defaultRoute: Configuration['defaultRoute']
}

function NewConnector({ pairs, defaultRoute }: NewConnectorProps) {
  const search = useSearch()
  const [, navigate] = useLocation()
  const { data: caller } = useRead<CallerAnswer>('/caller')
  const [{ start, keptAt, backTo }] = useState(() => {
    const parameters = new URLSearchParams(search)
    const kept = takeKeptInput({ path: location.pathname, person: caller?.name ?? '' })
    const direction: ConnectorDirection = parameters.get('direction') === 'outbound' ? 'outbound' : 'inbound'
    const given = parameters.getAll('domain')
    // The missing connector of a pair is for the same domains.
    const pair = given.length === 1 ? findPair(pairs, given[0] ?? '') : null
    const domains = pair !== null && pair[direction] === null ? pair.domains : given
    return {
      start: {
        draft: kept?.draft ?? newDraft({ direction, domains, defaultRoute }),
        base: null,
        defaultRoute,
      },
      keptAt: kept?.at ?? null,
      backTo: pair === null ? '/partners' : `/partners/${encodeURIComponent(pair.name)}`,
    }
  })
  return (
    <ConnectorWizard
      start={start}
      keptAt={keptAt}
      backTo={backTo}
      onSaved={(saved) => navigate(`/partners/${encodeURIComponent(saved.id)}`, { state: savedState(saved) })}
    />
  )
}
