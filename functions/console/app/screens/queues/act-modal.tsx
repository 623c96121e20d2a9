/** Says what happens to the mail before an act, and how far the act is. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import FormField from '@cloudscape-design/components/form-field'
import Modal from '@cloudscape-design/components/modal'
import ProgressBar from '@cloudscape-design/components/progress-bar'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Textarea from '@cloudscape-design/components/textarea'
import { useState } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { QueueList } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import type { ConnectorName } from '../../api/use-connector-names.ts'
import { Failure } from '../../components/failure.tsx'
import { Remote } from '../../components/remote.tsx'
import { actTexts, countRecipients, groupsForAct, type Queue, type QueueAct, recipientsText } from './acts.ts'
import { GroupNames } from './group-names.tsx'
import type { ActResult } from './send-act.ts'
import { useAct } from './use-act.ts'

const maxReasonLength = 500

interface ActModalProps {
  act: QueueAct
  selected: readonly Queue[]
  connectors: readonly ConnectorName[]
  /** @param outcome null: nothing was requested */
  onClose(outcome: { result: ActResult; isStopped: boolean } | null): void
}

export function ActModal({ act, selected, connectors, onClose }: ActModalProps) {
  // The selection changes when the list is read again. What was confirmed does not.
  const [groups] = useState(() => groupsForAct(act, selected))
  const leftAlone = selected.length - groups.length
  const [reason, setReason] = useState('')
  const [isChecked, setIsChecked] = useState(false)
  const list = useRead<QueueList>('/queues')
  const { state, start, stop } = useAct(act, groups, (result, isStopped) => onClose({ result, isStopped }))
  const { title, sentence, isReasonRequired } = actTexts[act]
  const isMissing = isReasonRequired && reason.trim() === ''
  const isRunning = state.kind === 'Running'
  const dismiss = () =>
    isRunning
      ? stop()
      : onClose(state.result.recipients === 0 ? null : { result: state.result, isStopped: true })
  const confirm = () => {
    setIsChecked(true)
    if (!isMissing) start(reason.trim())
  }
  return (
    <Modal
      visible
      header={title}
      closeAriaLabel="Close"
      onDismiss={dismiss}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={dismiss}>
              {isRunning ? 'Stop' : 'Cancel'}
            </Button>
            <Button variant="primary" loading={isRunning} disabled={!list.data} onClick={confirm}>
              {title}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <Remote what="the mail that waits" result={list}>
        {(all) => {
          const recipients = countRecipients(groups, all.items)
          return (
            <SpaceBetween size="m">
              <div>{sentence(recipientsText(recipients, all))}</div>
              <GroupNames groups={groups} connectors={connectors} />
              {leftAlone > 0 && (
                <Alert type="info">
                  {`No inbound connector holds the mail of ${countText(leftAlone, 'selected group')}. It is left alone.`}
                </Alert>
              )}
              <FormField
                label={isReasonRequired ? 'Reason' : 'Reason (optional)'}
                description="Stored in the trace and in the event, and in no mail."
                errorText={isChecked && isMissing ? 'Give a reason.' : ''}
                constraintText={`At most ${maxReasonLength} characters.`}
              >
                <Textarea
                  rows={2}
                  value={reason}
                  disabled={isRunning}
                  onChange={({ detail }) => setReason(detail.value.slice(0, maxReasonLength))}
                />
              </FormField>
              {isRunning && (
                <ProgressBar
                  label="Requested"
                  value={Math.min(100, (100 * state.result.recipients) / Math.max(1, recipients))}
                  additionalInfo={`${countText(state.result.recipients, 'recipient')} of ${recipients}`}
                />
              )}
              {state.kind === 'Failed' && (
                <Failure
                  title={`Requested for ${countText(state.result.recipients, 'recipient')}, then it failed`}
                  error={state.error}
                  retry={confirm}
                />
              )}
            </SpaceBetween>
          )
        }}
      </Remote>
    </Modal>
  )
}
