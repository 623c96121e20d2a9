/** Content for administrators. Others read why they do not see it. */
import Alert from '@cloudscape-design/components/alert'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { ReactNode } from 'react'
import type { CallerAnswer } from '../api/types.ts'
import { useRead } from '../api/use-api.ts'
import { useMay } from '../api/use-roles.ts'
import { Remote } from './remote.tsx'

interface AdministratorsOnlyProps {
  /** What they may do, as in "add connectors". */
  act: string
  /** The heading, which the content itself has. */
  heading: ReactNode
  children: ReactNode
}

export function AdministratorsOnly({ act, heading, children }: AdministratorsOnlyProps) {
  const caller = useRead<CallerAnswer>('/caller')
  const mayAdminister = useMay('administer')
  if (mayAdminister) return children
  return (
    <SpaceBetween size="m">
      {heading}
      <Remote what="your roles" result={caller}>
        {() => (
          <Alert type="info" header={`Your role does not permit you to ${act}`}>
            It needs the role administer. An administrator of your identity provider can give it to you.
          </Alert>
        )}
      </Remote>
    </SpaceBetween>
  )
}
