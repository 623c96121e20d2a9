import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Modal from '@cloudscape-design/components/modal'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { LeaveGuard } from './use-leave-guard.ts'

export const LeaveModal = ({ isOpen, leave, stay }: LeaveGuard) => (
  <Modal
    visible={isOpen}
    header="Leave without saving?"
    closeAriaLabel="Stay"
    onDismiss={stay}
    footer={
      <Box float="right">
        <SpaceBetween size="xs" direction="horizontal">
          <Button onClick={leave}>Leave</Button>
          <Button variant="primary" onClick={stay}>
            Stay
          </Button>
        </SpaceBetween>
      </Box>
    }
  >
    What you entered is not saved, and is lost. The connectors stay as they are.
  </Modal>
)
