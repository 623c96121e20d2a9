/** Says the effect on mail before an act, and what the person must verify before. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Checkbox from '@cloudscape-design/components/checkbox'
import FormField from '@cloudscape-design/components/form-field'
import Modal from '@cloudscape-design/components/modal'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Textarea from '@cloudscape-design/components/textarea'
import { useState } from 'react'
import { unsavedHeader } from '../../api/api-error.ts'
import type { UnknownCertificate } from '../../api/types.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { type Act, actText, actTitle, mailEffects } from './acts.ts'
import { verificationText } from './unknown-text.ts'
import { type ActNotice, useAct } from './use-act.ts'

const maxReasonLength = 500

interface ActModalProps {
  act: Act
  certificate: UnknownCertificate
  onNotice(notice: ActNotice): void
  onClose(): void
}

export function ActModal(props: ActModalProps) {
  const { act, certificate, onClose } = props
  const { connector, effects, presented } = certificate
  const [reason, setReason] = useState('')
  const [isChecked, setIsChecked] = useState(false)
  const hasHeldMail = effects.some(({ effect }) => effect === 'Held')
  const [retriesHeldMail, setRetriesHeldMail] = useState(act.kind === 'Add' && hasHeldMail)
  const change = useAct(props)
  const isMissing = act.kind === 'Dismiss' && reason.trim() === ''
  const confirm = () => {
    setIsChecked(true)
    if (!isMissing) change.mutate({ reason: reason.trim(), retriesHeldMail })
  }
  return (
    <Modal
      visible
      header={actTitle(act)}
      closeAriaLabel="Close without a change"
      onDismiss={onClose}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button variant="link" onClick={onClose}>
              Cancel
            </Button>
            <Button variant="primary" loading={change.isPending} onClick={confirm}>
              {actTitle(act)}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {act.kind === 'Add' && (
          <Alert type="warning" header="Ask first">
            <div>{verificationText(connector)}</div>
            <Box variant="code">
              <TextOfOthers text={presented.fingerprint256} />
            </Box>
          </Alert>
        )}
        <Box>
          Connector <TextOfOthers text={connector.name} />
          {act.kind === 'Add' && (
            <>
              : adds <TextOfOthers text={act.proposal.add} />. {actText(act)}
            </>
          )}
        </Box>
        <Alert type="info" header="Effect on mail">
          {mailEffects(act, certificate).map((sentence) => (
            <div key={sentence}>
              <TextOfOthers text={sentence} />
            </div>
          ))}
        </Alert>
        {act.kind === 'Add' && hasHeldMail && (
          <Checkbox checked={retriesHeldMail} onChange={({ detail }) => setRetriesHeldMail(detail.checked)}>
            Decide now about the mail that waits under this connector
          </Checkbox>
        )}
        {act.kind === 'Dismiss' && (
          <FormField
            label="Reason"
            description="Other administrators see it, with your name."
            errorText={isChecked && isMissing ? 'Enter why the certificate is not the partner’s.' : ''}
          >
            <Textarea
              value={reason}
              onChange={({ detail }) => setReason(detail.value.slice(0, maxReasonLength))}
              rows={3}
            />
          </FormField>
        )}
        {change.error && (
          <Alert type="error" header={unsavedHeader(change.error)}>
            {change.error.message}
            {change.error.faults.map(({ path, message }) => (
              <div key={path}>{`${path} ${message}`}</div>
            ))}
          </Alert>
        )}
      </SpaceBetween>
    </Modal>
  )
}
