/** What a person must know about the session, above every view. */
import Button from '@cloudscape-design/components/button'
import Flashbar, { type FlashbarProps } from '@cloudscape-design/components/flashbar'
import { useEffect, useState } from 'react'
import { Time } from '../components/time.tsx'
import { useAtTime } from '../components/use-at-time.ts'
import type { ConsoleConfig } from '../console-config.ts'
import { warningMs } from './session-end.ts'
import { endSession, useSessionEnded } from './session-state.ts'
import { type Session, signInAgain } from './sign-in.ts'

interface SessionNoticesProps extends Pick<ConsoleConfig, 'signIn'> {
  session: Session | null
}

export function SessionNotices({ signIn, session }: SessionNoticesProps) {
  const hasEnded = useSessionEnded()
  const isEnding = useIsEnding(session, signIn?.sessionMinutes ?? 0)
  const [fault, setFault] = useState('')
  if (signIn === null || session === null)
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
  if (!hasEnded && !isEnding) return null
  const leave = () => signInAgain(signIn).catch((error: Error) => setFault(error.message))
  const notice: FlashbarProps.MessageDefinition = {
    id: 'session',
    type: 'warning',
    content: (
      <>
        {hasEnded ? (
          'Your session has ended.'
        ) : (
          <>
            Your session ends at <Time at={new Date(session.until).toISOString()} />.
          </>
        )}{' '}
        After you sign in again, you come back to this view. The wizard of connectors keeps what you entered,
        other forms do not. {fault}
      </>
    ),
    action: <Button onClick={() => void leave()}>Sign in</Button>,
  }
  return <Flashbar items={[notice]} />
}

/** Ends the session at its time, also if the person does nothing. */
function useIsEnding(session: Session | null, sessionMinutes: number): boolean {
  const until = session?.until ?? Number.POSITIVE_INFINITY
  const isOver = useAtTime((now) => now >= until)
  useEffect(() => {
    if (isOver) endSession()
  }, [isOver])
  return useAtTime((now) => now >= until - warningMs(sessionMinutes))
}
