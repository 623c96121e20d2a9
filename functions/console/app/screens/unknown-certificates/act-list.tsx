/** What the person can do, the safest first, and what each act admits. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import type { UnknownCertificate } from '../../api/types.ts'
import { useMay } from '../../api/use-roles.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { ActModal } from './act-modal.tsx'
import { type Act, actsOf, actText, actTitle } from './acts.ts'
import type { ActNotice } from './use-act.ts'

interface ActListProps {
  certificate: UnknownCertificate
  onNotice(notice: ActNotice): void
}

export function ActList({ certificate, onNotice }: ActListProps) {
  const may = { administer: useMay('administer'), operate: useMay('operate') }
  const [chosen, setChosen] = useState<Act | null>(null)
  const acts = actsOf(certificate)
  const mayAny = acts.some(({ role }) => may[role])
  return (
    <Container
      header={
        <Header variant="h2" description="The safest first.">
          What you can do
        </Header>
      }
    >
      <SpaceBetween size="m">
        {certificate.proposals.length === 0 && <WithoutProposal certificate={certificate} />}
        {!mayAny && acts.length > 0 && (
          <Box color="text-body-secondary">These acts need the role operate or administer.</Box>
        )}
        <ol className="act-list">
          {acts.map((act) => (
            <li key={actTitle(act)}>
              <SpaceBetween size="xs">
                <div>
                  <Box variant="h3">{actTitle(act)}</Box>
                  {act.kind === 'Add' && <TextOfOthers text={act.proposal.add} />}
                  <div>{actText(act)}</div>
                </div>
                {may[act.role] && (
                  <Button onClick={() => setChosen(act)} ariaLabel={`${actTitle(act)}: next step`}>
                    {actTitle(act)}
                  </Button>
                )}
              </SpaceBetween>
            </li>
          ))}
        </ol>
      </SpaceBetween>
      {chosen !== null && (
        <ActModal
          act={chosen}
          certificate={certificate}
          onNotice={onNotice}
          onClose={() => setChosen(null)}
        />
      )}
    </Container>
  )
}

function WithoutProposal({ certificate: { state, connector } }: { certificate: UnknownCertificate }) {
  if (state === 'Resolved') return <Box>The connector needs no addition.</Box>
  return (
    <Box>
      No addition to the connector would make it accept this certificate: see its fault.{' '}
      {connector.connectorType === 'Partner' ? 'The partner' : 'Your server'} needs another certificate.
    </Box>
  )
}
