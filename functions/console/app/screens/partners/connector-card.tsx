/** One connector: its stage, what it requires in sentences, and its fields. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { Fragment, useState } from 'react'
import { useLocation } from 'wouter'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { useMay } from '../../api/use-roles.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import type { ConnectorDirection } from './connector-text.ts'
import { inboundSentences, isInbound, levelIn, levelOut, outboundSentences } from './connector-text.ts'
import { fieldTexts } from './partner-numbers.ts'
import type { Pair } from './partner-pairs.ts'
import { StageProgress } from './stage-progress.tsx'
import type { Notice } from './use-stage-change.ts'

interface ConnectorCardProps {
  connector: InboundConnector | OutboundConnector
  direction: ConnectorDirection
  pair: Pair
}

export function ConnectorCard({ connector, direction, pair }: ConnectorCardProps) {
  const [, navigate] = useLocation()
  const mayAdminister = useMay('administer')
  const [notice, setNotice] = useState<Notice | null>(null)
  const [level, sentences] = isInbound(connector)
    ? [levelIn(connector), inboundSentences(connector)]
    : [levelOut(connector), outboundSentences(connector)]
  const title = direction === 'inbound' ? 'Inbound' : 'Outbound'
  return (
    <Container
      fitHeight
      header={
        <Header
          variant="h2"
          description={`Level: ${level}`}
          actions={
            mayAdminister && (
              <Button
                ariaLabel={`Edit: ${connector.name}`}
                onClick={() =>
                  navigate(`/partners/${encodeURIComponent(pair.name)}/edit/${direction}/${connector.id}`)
                }
              >
                Edit
              </Button>
            )
          }
        >
          {title}: <TextOfOthers text={connector.name} />
        </Header>
      }
    >
      <SpaceBetween size="m">
        {notice && (
          <Alert
            type={notice.type}
            header={notice.header}
            dismissible
            dismissAriaLabel="Close the notice"
            onDismiss={() => setNotice(null)}
          >
            {notice.lines.map((line) => (
              <div key={line}>
                <TextOfOthers text={line} />
              </div>
            ))}
          </Alert>
        )}
        <StageProgress connector={connector} direction={direction} pair={pair} onNotice={setNotice} />
        <ul className="sentences">
          {sentences.map((sentence) => (
            <li key={sentence}>
              <TextOfOthers text={sentence} />
            </li>
          ))}
        </ul>
        {connector.comment !== '' && (
          <Box color="text-body-secondary">
            <TextOfOthers text={connector.comment} />
          </Box>
        )}
        <ExpandableSection headerText={`Fields of the ${direction} connector`}>
          <dl className="fields">
            {fieldTexts(connector).map(({ field, value }) => (
              <Fragment key={field}>
                <dt>{field}</dt>
                <dd>
                  <TextOfOthers text={value} />
                </dd>
              </Fragment>
            ))}
            <dt>updatedAt</dt>
            <dd>
              <Time at={connector.updatedAt} />
            </dd>
          </dl>
        </ExpandableSection>
      </SpaceBetween>
    </Container>
  )
}
