/** The path to a view: the views above it, then its own title. */
import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group'
import { useLocation } from 'wouter'
import { consolePath } from '../../../../shared/contract/console.ts'
import { shortName } from '../visible-text.ts'

interface BreadcrumbsProps {
  above: readonly { text: string; path: string }[]
  title: string
}

export function Breadcrumbs({ above, title }: BreadcrumbsProps) {
  const [, navigate] = useLocation()
  return (
    <BreadcrumbGroup
      items={[
        ...above.map(({ text, path }) => ({ text: shortName(text), href: `${consolePath}${path}` })),
        { text: shortName(title), href: '' },
      ]}
      onFollow={(event) => {
        event.preventDefault()
        if (event.detail.href !== '') navigate(event.detail.href.slice(consolePath.length))
      }}
    />
  )
}
