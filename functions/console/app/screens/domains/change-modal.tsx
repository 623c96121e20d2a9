/** The frame of a change of a domain: its effects, what the API refused, and the act. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Modal from '@cloudscape-design/components/modal'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { type ReactNode, useState } from 'react'
import { type ApiError, conflictHeader, isLost, unsavedHeader } from '../../api/api-error.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { isConflict } from './use-domains.ts'

interface ChangeModalProps {
  title: string
  act: string
  effects: readonly string[]
  /** Whether mail is refused or lost that is accepted now. */
  isWarning?: boolean
  error: ApiError | null
  isPending: boolean
  isDisabled?: boolean
  onAct(): void
  onClose(): void
  children?: ReactNode
}

export function ChangeModal(props: ChangeModalProps) {
  const { title, act, effects, isWarning = false, error, isPending, isDisabled, onAct, onClose } = props
  const hasConflict = isConflict(error)
  const [wasLost, setWasLost] = useState(false)
  if (error && isLost(error.status) && !wasLost) setWasLost(true)
  return (
    <Modal
      visible
      header={title}
      closeAriaLabel="Close without a change"
      onDismiss={onClose}
      footer={
        <Box float="right">
          <SpaceBetween size="xs" direction="horizontal">
            <Button variant="link" onClick={onClose}>
              {hasConflict ? 'Close' : 'Cancel'}
            </Button>
            {!hasConflict && (
              <Button variant="primary" loading={isPending} disabled={isDisabled === true} onClick={onAct}>
                {act}
              </Button>
            )}
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        {props.children}
        {effects.length > 0 && (
          <Alert type={isWarning ? 'warning' : 'info'} header="Effect on mail">
            {effects.map((sentence) => (
              <div key={sentence}>
                <TextOfOthers text={sentence} />
              </div>
            ))}
          </Alert>
        )}
        {hasConflict ? (
          <Alert type="warning" header={conflictHeader('domain', wasLost)}>
            The page shows the domain as it is now. Check it, and repeat your change if it was not made.
          </Alert>
        ) : (
          error && (
            <Alert type="error" header={unsavedHeader(error)}>
              {error.message}
              {error.faults.map(({ path, message }) => (
                <div key={`${path} ${message}`}>
                  <TextOfOthers text={`${path} ${message}`} />
                </div>
              ))}
            </Alert>
          )
        )}
      </SpaceBetween>
    </Modal>
  )
}
