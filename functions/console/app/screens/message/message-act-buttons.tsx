/** What an administrator can do with waiting recipients: the buttons, and the question before. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import FormField from '@cloudscape-design/components/form-field'
import Modal from '@cloudscape-design/components/modal'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Textarea from '@cloudscape-design/components/textarea'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { ApiError } from '../../api/api-error.ts'
import type { TraceEntry, WaitingRecipients } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { type Act, actTexts, recipientsOf } from './message-acts.ts'

const maxReasonLength = 500

interface MessageActButtonsProps {
  entry: TraceEntry
  /** Called when the gateway accepted the request. */
  onRequested(act: Act, recipients: readonly string[]): void
}

export function MessageActButtons({ entry, onRequested }: MessageActButtonsProps) {
  const [act, setAct] = useState<Act | null>(null)
  const acts = (['retry', 'release', 'return'] as const).filter(
    (each) => recipientsOf(each, entry.recipients).length > 0,
  )
  return (
    <>
      <SpaceBetween direction="horizontal" size="xs">
        {acts.map((each) => (
          <Button key={each} onClick={() => setAct(each)}>
            {actTexts[each].button}
          </Button>
        ))}
      </SpaceBetween>
      {act !== null && (
        <ActModal
          act={act}
          id={entry.id}
          recipients={recipientsOf(act, entry.recipients)}
          close={() => setAct(null)}
          onRequested={(recipients) => {
            setAct(null)
            onRequested(act, recipients)
          }}
        />
      )}
    </>
  )
}

interface ActModalProps {
  act: Act
  id: string
  recipients: readonly string[]
  close(): void
  onRequested(recipients: readonly string[]): void
}

function ActModal({ act, id, recipients, close, onRequested }: ActModalProps) {
  const api = useApi()
  const { title, button, effects, needsReason } = actTexts[act]
  const [reason, setReason] = useState('')
  const [fault, setFault] = useState('')
  const request = useMutation<WaitingRecipients, ApiError>({
    mutationFn: () =>
      api.send(
        'POST',
        `/messages/${encodeURIComponent(id)}/${act}`,
        needsReason ? { reason: reason.trim() } : undefined,
      ),
    onSuccess: (answer) => onRequested(answer.recipients),
  })
  const submit = () => {
    const length = reason.trim().length
    if (needsReason && length === 0) return setFault('Enter why the message may pass.')
    if (needsReason && length > maxReasonLength)
      return setFault(`Enter at most ${maxReasonLength} characters.`)
    request.mutate()
  }
  return (
    <Modal
      visible
      onDismiss={close}
      header={title}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={close}>
              Cancel
            </Button>
            <Button variant="primary" loading={request.isPending} onClick={submit}>
              {button}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <div>
          For <TextOfOthers text={recipients.join(', ')} />:
          <ul>
            {effects.map((effect) => (
              <li key={effect}>{effect}</li>
            ))}
          </ul>
        </div>
        {needsReason && (
          <FormField label="Reason" errorText={fault}>
            <Textarea value={reason} onChange={({ detail }) => setReason(detail.value)} rows={3} autoFocus />
          </FormField>
        )}
        {request.error !== null && (
          <Alert type="error" header="The request was not accepted">
            {request.error.message}
          </Alert>
        )}
      </SpaceBetween>
    </Modal>
  )
}
