/** Unknown certificates: an inbox of certificates that clients present and connectors do not accept. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useConnectorNames } from '../../api/use-connector-names.ts'
import { FilterSelect } from '../../components/filter-select.tsx'
import { Filters } from '../../components/filters.tsx'
import { Remote } from '../../components/remote.tsx'
import { useViewState } from '../../use-view-state.ts'
import { CertificateSection } from './certificate-section.tsx'
import { everyState, states, stateTexts } from './unknown-text.ts'
import { useUnknownCertificates } from './use-unknown-certificates.ts'

export default function UnknownCertificates() {
  const [{ connector, state = 'Open' }] = useViewState()
  const filter = { connector, state: state === everyState ? undefined : state }
  const trusted = useUnknownCertificates({ ...filter, trusted: true })
  const others = useUnknownCertificates({ ...filter, trusted: false })
  const isEmpty = trusted.data?.items.length === 0 && others.data?.items.length === 0
  const isComplete = !trusted.hasNextPage && !others.hasNextPage
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="Clients present them, and the connectors for their mail do not accept them. A partner may have renewed its certificate, or a stranger may send in its name."
          actions={
            <Button
              iconName="refresh"
              ariaLabel="Read again"
              onClick={() => void Promise.all([trusted.refetch(), others.refetch()])}
            />
          }
        >
          Unknown certificates
        </Header>
      }
    >
      <SpaceBetween size="l">
        <CertificateFilters />
        {isEmpty && isComplete ? (
          <Empty isFiltered={connector !== undefined || state !== 'Open'} />
        ) : (
          <SpaceBetween size="l">
            <Remote what="the trusted certificates" result={trusted}>
              {({ items }) => (
                <CertificateSection
                  name="trusted"
                  title="Trusted for the partner"
                  description="From the connector’s own authority, or trusted for a name in the partner’s domains. A stranger cannot create such a certificate."
                  certificates={items}
                  more={trusted}
                />
              )}
            </Remote>
            <Remote what="the other certificates" result={others}>
              {({ items }) => (
                <CertificateSection
                  name="others"
                  title="Others"
                  description="Anyone can create such a certificate, or get one for a domain of their own. At most 10 new ones a day are listed for each connector; metrics count all."
                  certificates={items}
                  more={others}
                />
              )}
            </Remote>
          </SpaceBetween>
        )}
      </SpaceBetween>
    </ContentLayout>
  )
}

function CertificateFilters() {
  const [{ connector = '', state = 'Open' }, change] = useViewState()
  const connectors = useConnectorNames().data ?? []
  return (
    <Filters>
      <FilterSelect
        label="Connector"
        allLabel="All connectors"
        options={connectors
          .filter(({ direction }) => direction === 'Inbound')
          .map(({ id, name }) => ({ value: id, label: name }))}
        value={connector}
        onChange={(value) => change({ connector: value, trusted: '', others: '' })}
      />
      <FilterSelect
        label="State"
        allLabel="All states"
        options={states.map((value) => ({ value, label: value, description: stateTexts[value] }))}
        value={state === everyState ? '' : state}
        onChange={(value) => change({ state: value === '' ? everyState : value, trusted: '', others: '' })}
      />
    </Filters>
  )
}

function Empty({ isFiltered }: { isFiltered: boolean }) {
  const [, change] = useViewState()
  return isFiltered ? (
    <SpaceBetween size="s" alignItems="center">
      <Box>No unknown certificate matches the filters.</Box>
      <Button onClick={() => change({ connector: '', state: '', trusted: '', others: '' })}>
        Show the open ones
      </Button>
    </SpaceBetween>
  ) : (
    <Box textAlign="center">
      <Box variant="strong">No client presents an unknown certificate.</Box>
      <Box color="text-body-secondary">
        A certificate appears here when a client sends mail in a partner’s name with a certificate that the
        connector does not accept, such as after a renewal. It stays for 30 days after it was presented last.
      </Box>
    </Box>
  )
}
