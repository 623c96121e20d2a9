/** A link to a view of the console, which opens without loading the page again. */
import Link from '@cloudscape-design/components/link'
import type { ReactNode } from 'react'
import { useLocation } from 'wouter'
import { consolePath } from '../../../../shared/contract/console.ts'

interface ViewLinkProps {
  /** Path within the console, with its query. */
  to: string
  children: ReactNode
}

export function ViewLink({ to, children }: ViewLinkProps) {
  const [, navigate] = useLocation()
  return (
    <Link
      variant="primary"
      fontSize="inherit"
      href={`${consolePath}${to}`}
      onFollow={(event) => {
        event.preventDefault()
        navigate(to)
      }}
    >
      {children}
    </Link>
  )
}
