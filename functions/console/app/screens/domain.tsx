/** One accepted domain: its fields, its records in DNS, its list of recipients, and its changes. */
import Button from '@cloudscape-design/components/button'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Flashbar from '@cloudscape-design/components/flashbar'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import { useLocation, useParams } from 'wouter'
import type { AcceptedDomain } from '../api/types.ts'
import { useMay } from '../api/use-roles.ts'
import { Breadcrumbs } from '../components/breadcrumbs.tsx'
import { Remote } from '../components/remote.tsx'
import { TextOfOthers } from '../components/text-of-others.tsx'
import { DnsRecords } from './domains/dns-records.tsx'
import { DomainFields } from './domains/domain-fields.tsx'
import { DomainForm } from './domains/domain-form.tsx'
import { NoSuchDomain } from './domains/no-such-domain.tsx'
import { RecipientList } from './domains/recipient-list.tsx'
import { RemoveDomain } from './domains/remove-domain.tsx'
import { useDomain } from './domains/use-domains.ts'

type Act = 'Edit' | 'Remove'

export default function Domain() {
  const { domain: name = '' } = useParams<{ domain: string }>()
  const result = useDomain(name)
  const [act, setAct] = useState<Act | null>(null)
  const mayAdminister = useMay('administer') && result.data !== undefined
  const isMissing = result.error?.status === 404
  return (
    <ContentLayout
      breadcrumbs={<Breadcrumbs list="Domains" path="/domains" current={name} />}
      header={
        <Header
          variant="h1"
          description={result.data && 'The gateway receives mail for this domain.'}
          actions={
            mayAdminister &&
            !isMissing && (
              <SpaceBetween direction="horizontal" size="xs">
                <Button onClick={() => setAct('Edit')}>Edit</Button>
                <Button onClick={() => setAct('Remove')}>Remove</Button>
              </SpaceBetween>
            )
          }
        >
          <TextOfOthers text={name} />
        </Header>
      }
    >
      {isMissing ? (
        <NoSuchDomain name={name} />
      ) : (
        <Remote what="the accepted domain" result={result}>
          {(domain) => <DomainContent domain={domain} act={act} onEnd={() => setAct(null)} />}
        </Remote>
      )}
    </ContentLayout>
  )
}

interface DomainContentProps {
  domain: AcceptedDomain
  act: Act | null
  onEnd(): void
}

function DomainContent({ domain, act, onEnd }: DomainContentProps) {
  const [notice, setNotice] = useState<string | null>(null)
  const [, navigate] = useLocation()
  return (
    <SpaceBetween size="l">
      {notice !== null && (
        <Flashbar
          items={[
            {
              id: 'saved',
              type: 'success',
              header: notice,
              dismissible: true,
              dismissLabel: 'Dismiss',
              onDismiss: () => setNotice(null),
            },
          ]}
        />
      )}
      <DomainFields domain={domain} />
      <DnsRecords domain={domain.domain} />
      <RecipientList domain={domain} onNotice={setNotice} />
      {act === 'Edit' && (
        <DomainForm
          domain={domain}
          onSaved={() => {
            setNotice(`${domain.domain} is saved`)
            onEnd()
          }}
          onClose={onEnd}
        />
      )}
      {act === 'Remove' && (
        <RemoveDomain domain={domain} onRemoved={() => navigate('/domains')} onClose={onEnd} />
      )}
    </SpaceBetween>
  )
}
