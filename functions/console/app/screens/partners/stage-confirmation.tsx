/** Shows what a change of a connector's stage or its removal does to mail, and makes it when the person confirms. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import FormField from '@cloudscape-design/components/form-field'
import Input from '@cloudscape-design/components/input'
import Modal from '@cloudscape-design/components/modal'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import { unsavedHeader } from '../../api/api-error.ts'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import type { ConnectorDirection } from './connector-text.ts'
import { MailCount } from './mail-count.tsx'
import type { Pair } from './partner-pairs.ts'
import { PastMail } from './past-mail.tsx'
import { actText, isWeakening, type StageOrRemoved, stageEffects } from './stage-change.ts'
import { type Notice, needsWaitingChoice, useStageChange, type WaitingChoice } from './use-stage-change.ts'

interface StageConfirmationProps {
  connector: InboundConnector | OutboundConnector
  direction: ConnectorDirection
  pair: Pair
  to: StageOrRemoved
  onNotice(notice: Notice): void
  onClose(): void
}

export function StageConfirmation(props: StageConfirmationProps) {
  const { connector, direction, pair, to, onClose } = props
  const [waiting, setWaiting] = useState<WaitingChoice | null>(null)
  const change = useStageChange(props)
  // A choice that the API needed once is shown until the end.
  const [needsChoice, setNeedsChoice] = useState(false)
  if (!needsChoice && needsWaitingChoice(change.error)) setNeedsChoice(true)
  const [typedName, setTypedName] = useState('')
  // Without the connector of the own servers, no mail of the organisation is sent or received.
  const needsName = to === 'Removed' && connector.connectorType === 'OnPremises'
  const hasFailed = change.error !== null && !needsWaitingChoice(change.error)
  return (
    <Modal
      visible
      header={`${actText(direction, to)}: ${connector.name}`}
      closeAriaLabel="Close without a change"
      onDismiss={onClose}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button onClick={onClose}>Cancel</Button>
            <Button
              variant="primary"
              loading={change.isPending}
              disabled={
                (needsChoice && waiting === null) || (needsName && typedName.trim() !== connector.name)
              }
              onClick={() => change.mutate(waiting)}
            >
              {actText(direction, to)}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Alert type={isWeakening(connector, to) ? 'warning' : 'info'} header="Effect on mail">
          {stageEffects(connector, to).map((sentence) => (
            <div key={sentence}>
              <TextOfOthers text={sentence} />
            </div>
          ))}
        </Alert>
        <MailCount pair={pair} direction={direction} />
        {(to === 'Hold' || to === 'Enforce') && direction === 'inbound' && (
          <PastMail id={connector.id} version={connector.version} />
        )}
        {needsChoice && change.error && (
          <FormField label="Mail that waits under this connector" description={change.error.message}>
            <RadioGroup
              value={waiting}
              onChange={({ detail }) => setWaiting(detail.value as WaitingChoice)}
              items={[
                { value: 'hold', label: 'Hold it', description: 'It keeps the requirement, and waits on.' },
                {
                  value: 'return',
                  label: 'Return it',
                  description: 'It bounces now: its senders get a DSN.',
                },
              ]}
            />
          </FormField>
        )}
        {needsName && (
          <FormField
            label="Name"
            description={`It is for your own servers. To confirm, type ${connector.name}. To stop it for a while, disable it instead.`}
          >
            <Input
              value={typedName}
              spellcheck={false}
              onChange={({ detail }) => setTypedName(detail.value)}
            />
          </FormField>
        )}
        {hasFailed && (
          <Alert type="error" header={unsavedHeader(change.error)}>
            {change.error.message}
          </Alert>
        )}
      </SpaceBetween>
    </Modal>
  )
}
