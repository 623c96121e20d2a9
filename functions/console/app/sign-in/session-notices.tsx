/** What a person must know about the session, above every view. */
import Button from '@cloudscape-design/components/button'
import Flashbar from '@cloudscape-design/components/flashbar'
import type { ConsoleConfig } from '../console-config.ts'
import { signInAgain } from './sign-in.ts'
import { useSessionEnded } from './use-session-ended.ts'

export function SessionNotices({ signIn }: Pick<ConsoleConfig, 'signIn'>) {
  const hasEnded = useSessionEnded()
  if (signIn === null)
    return (
      <Flashbar
        items={[
          {
            id: 'no-sign-in',
            type: 'info',
            content: 'This gateway runs on your machine: everyone who reaches this page may do everything.',
          },
        ]}
      />
    )
  if (!hasEnded) return null
  return (
    <Flashbar
      items={[
        {
          id: 'session-ended',
          type: 'warning',
          content: 'Your session has ended. After you sign in again, you come back to this view.',
          action: <Button onClick={() => void signInAgain(signIn)}>Sign in</Button>,
        },
      ]}
    />
  )
}
