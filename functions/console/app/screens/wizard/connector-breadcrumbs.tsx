import BreadcrumbGroup from '@cloudscape-design/components/breadcrumb-group'
import { useLocation } from 'wouter'
import { consolePath } from '../../../../../shared/contract/console.ts'

interface ConnectorBreadcrumbsProps {
  /** Name of the pair, whose page is above this view. */
  pair: string | null
  title: string
}

export function ConnectorBreadcrumbs({ pair, title }: ConnectorBreadcrumbsProps) {
  const [, navigate] = useLocation()
  const above = pair === null ? [] : [{ text: pair, path: `/partners/${encodeURIComponent(pair)}` }]
  return (
    <BreadcrumbGroup
      items={[
        ...[{ text: 'Partners', path: '/partners' }, ...above].map(({ text, path }) => ({
          text,
          href: `${consolePath}${path}`,
        })),
        { text: title, href: '' },
      ]}
      onFollow={(event) => {
        event.preventDefault()
        navigate(event.detail.href.slice(consolePath.length))
      }}
    />
  )
}
