/** A part of the inbox: the certificates at each connector. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import Pagination from '@cloudscape-design/components/pagination'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useMemo } from 'react'
import type { UnknownCertificate } from '../../api/types.ts'
import { pageOf } from '../../components/paging.ts'
import { useViewState } from '../../use-view-state.ts'
import { CertificateTable } from './certificate-table.tsx'
import { groupByConnector } from './group-certificates.ts'
import { everyState } from './unknown-text.ts'

const groupsOfPage = 10
/** Certificates of a connector, until the person chooses it. */
const maxShown = 5
const certificatesOfPage = 25

interface CertificateSectionProps {
  /** The parameter of the address that has the page. */
  name: 'trusted' | 'others'
  title: string
  description: string
  certificates: readonly UnknownCertificate[]
  more: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage(): unknown }
}

export function CertificateSection({
  name,
  title,
  description,
  certificates,
  more,
}: CertificateSectionProps) {
  const [state, change] = useViewState()
  const groups = useMemo(() => groupByConnector(certificates), [certificates])
  const isOneConnector = state.connector !== undefined
  const shown = pageOf(groups, isOneConnector ? undefined : state[name], groupsOfPage)
  const pageOfGroup = pageOf(groups[0]?.certificates ?? [], state[name], certificatesOfPage)
  const pages = isOneConnector ? pageOfGroup : shown
  const countText = `(${certificates.length.toLocaleString()}${more.hasNextPage ? '+' : ''})`
  return (
    <SpaceBetween size="s">
      <Header
        variant="h2"
        counter={countText}
        description={description}
        {...(pages.count > 1 && {
          actions: (
            <Pagination
              currentPageIndex={pages.number}
              pagesCount={pages.count}
              ariaLabels={{ paginationLabel: `Pages of ${title}` }}
              onChange={({ detail }) => change({ [name]: String(detail.currentPageIndex) })}
            />
          ),
        })}
      >
        {title}
      </Header>
      {groups.length === 0 && <Box color="text-body-secondary">None.</Box>}
      {shown.items.map((group) => (
        <CertificateTable
          key={group.connector.id}
          group={group}
          hasStates={state.state === everyState}
          shown={isOneConnector ? pageOfGroup.items : group.certificates.slice(0, maxShown)}
          onShowAll={
            isOneConnector || group.certificates.length <= maxShown
              ? null
              : () => change({ connector: group.connector.id, trusted: '', others: '' })
          }
        />
      ))}
      {more.hasNextPage && (
        <Button loading={more.isFetchingNextPage} onClick={() => void more.fetchNextPage()}>
          Read earlier ones
        </Button>
      )}
    </SpaceBetween>
  )
}
