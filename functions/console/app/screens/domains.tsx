/** Accepted domains: whose mail the gateway receives, and what DNS says of each. */
import Box from '@cloudscape-design/components/box'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { Remote } from '../components/remote.tsx'
import { DomainForm } from './domains/domain-form.tsx'
import { DomainTable } from './domains/domain-table.tsx'
import { useDomains } from './domains/use-domains.ts'

export default function Domains() {
  const result = useDomains()
  const [isFormOpen, setIsFormOpen] = useState(false)
  const [, navigate] = useLocation()
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="Accepted domains, as in Exchange: the gateway receives mail for these, and for no other."
        >
          Domains
        </Header>
      }
    >
      <SpaceBetween size="xs">
        <Remote what="the accepted domains" result={result}>
          {(domains) => (
            <DomainTable
              domains={domains}
              onAdd={() => setIsFormOpen(true)}
              onRefresh={() => void result.refetch()}
            />
          )}
        </Remote>
        <Box variant="small" color="text-body-secondary">
          The records of the rows on the screen are checked, two domains at a time. A check takes up to 20
          seconds.
        </Box>
      </SpaceBetween>
      {isFormOpen && (
        <DomainForm
          domain={null}
          onSaved={({ domain }) => navigate(`/domains/${domain}`)}
          onClose={() => setIsFormOpen(false)}
        />
      )}
    </ContentLayout>
  )
}
