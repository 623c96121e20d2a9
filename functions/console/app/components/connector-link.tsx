/** A connector's name that leads to the page of its partner. */
import { TextOfOthers } from './text-of-others.tsx'
import { ViewLink } from './view-link.tsx'

export const ConnectorLink = ({ id, name }: { id: string; name: string }) => (
  <ViewLink to={`/partners/${encodeURIComponent(id)}`}>
    <TextOfOthers text={name} />
  </ViewLink>
)
