/** Leads from a view back to the list it was opened from. */
import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group'
import { useLocation } from 'wouter'
import { consolePath } from '../../../../shared/contract/console.ts'

interface BreadcrumbsProps {
  /** The title and the path of the list. */
  list: string
  path: string
  current: string
}

export function Breadcrumbs({ list, path, current }: BreadcrumbsProps) {
  const [, navigate] = useLocation()
  return (
    <BreadcrumbGroup
      items={[
        { text: list, href: `${consolePath}${path}` },
        { text: current, href: '' },
      ]}
      onFollow={(event) => {
        event.preventDefault()
        if (event.detail.href !== '') navigate(path)
      }}
    />
  )
}
