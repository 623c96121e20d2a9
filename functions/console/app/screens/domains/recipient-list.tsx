/** The list of a domain's recipients: search, add, remove. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import type { AcceptedDomain } from '../../api/types.ts'
import { useMay } from '../../api/use-roles.ts'
import { Failure } from '../../components/failure.tsx'
import { useViewState } from '../../use-view-state.ts'
import { AddRecipients } from './add-recipients.tsx'
import { RecipientTable } from './recipient-table.tsx'
import { RemoveRecipients } from './remove-recipients.tsx'
import { useRecipients } from './use-recipients.ts'

const rowsOfPage = 50

interface RecipientListProps {
  domain: AcceptedDomain
  onNotice(notice: string): void
}

export function RecipientList({ domain, onNotice }: RecipientListProps) {
  const [{ recipient = '', recipients }] = useViewState()
  const mayAdminister = useMay('administer')
  const [selected, setSelected] = useState<readonly string[]>([])
  const [act, setAct] = useState<'Add' | 'Remove' | null>(null)
  const isAllWanted = recipient !== '' || (Number(recipients) || 1) > 1
  const { addresses, isReading, error, retry } = useRecipients(domain, isAllWanted)
  const count = domain.recipientList?.addresses ?? 0
  const end = (notice: string) => {
    setSelected([])
    setAct(null)
    onNotice(notice)
  }
  return (
    <Container
      header={
        <Header
          variant="h2"
          counter={`(${count.toLocaleString('en')})`}
          description="The addresses that exist. mailflow finds name+tag as name. Letter case does not matter."
          actions={
            mayAdminister && (
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={selected.length === 0} onClick={() => setAct('Remove')}>
                  Remove addresses
                </Button>
                <Button onClick={() => setAct('Add')}>Add addresses</Button>
              </SpaceBetween>
            )
          }
        >
          List of recipients
        </Header>
      }
    >
      <SpaceBetween size="m">
        {domain.recipients !== 'List' && count > 0 && (
          <Alert type="info">
            {`The list is kept, but not used: recipients is ${domain.recipients}. To use it, edit the domain.`}
          </Alert>
        )}
        {error ? (
          <Failure title="Cannot read the list" error={error} retry={retry} />
        ) : (
          <RecipientTable
            addresses={addresses}
            count={count}
            isReading={isReading}
            rowsOfPage={rowsOfPage}
            maySelect={mayAdminister}
            selected={selected}
            onSelect={setSelected}
          />
        )}
      </SpaceBetween>
      {act === 'Add' && <AddRecipients domain={domain} onSaved={end} onClose={() => setAct(null)} />}
      {act === 'Remove' && (
        <RemoveRecipients domain={domain} addresses={selected} onSaved={end} onClose={() => setAct(null)} />
      )}
    </Container>
  )
}
