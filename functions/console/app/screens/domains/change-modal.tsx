/** The frame of a change of a domain: its effects, what the API refused, and the act. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Modal from '@cloudscape-design/components/modal'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { ReactNode } from 'react'
import type { ApiError } from '../../api/api-error.ts'
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
          <Alert type="warning" header="Another person or program has changed this domain">
            The change is not saved. The page now shows the domain as it is. Check it, then repeat the change.
          </Alert>
        ) : (
          error && (
            <Alert type="error" header="The change is not saved">
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
