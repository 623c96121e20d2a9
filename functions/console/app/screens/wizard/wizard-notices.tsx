/** What the person must know about the input, above the steps. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { Time } from '../../components/time.tsx'

interface WizardNoticesProps {
  keptAt: string | null
  hasEnded: boolean
  isUnsaved: boolean
  isDeleted: boolean
  onCreate(): void
}

export const WizardNotices = ({ keptAt, hasEnded, isUnsaved, isDeleted, onCreate }: WizardNoticesProps) => (
  <SpaceBetween size="s">
    {hasEnded && (
      <Alert
        type="warning"
        header="Your session has ended"
        action={<Button onClick={() => location.reload()}>Sign in again</Button>}
      >
        {isUnsaved
          ? 'Nothing is saved. What you entered is kept in this tab: after you sign in again, you come back to it. Closing the tab loses it.'
          : 'After you sign in again, you come back to this view.'}
      </Alert>
    )}
    {keptAt !== null && !hasEnded && (
      <Alert type="info" header="What you entered is here again">
        It was kept when your session ended, <Time at={keptAt} />. It is not saved yet.
      </Alert>
    )}
    {isDeleted && (
      <Alert
        type="warning"
        header="Another person or program has deleted this connector"
        action={<Button onClick={onCreate}>Add it as a new one</Button>}
      >
        What you entered is not saved. You can add it as a new connector, or cancel.
      </Alert>
    )}
  </SpaceBetween>
)
