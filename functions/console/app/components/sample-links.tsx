/** Links to some messages. The end of an id suffices to tell them apart; the whole id is in the link and its title. */
import { ViewLink } from './view-link.tsx'

const shownCharacters = 8

export function SampleLinks({ ids }: { ids: readonly string[] }) {
  return ids.map((id) => (
    <div key={id} className="sample" title={id}>
      <ViewLink to={`/messages/${id}`}>…{id.slice(-shownCharacters)}</ViewLink>
    </div>
  ))
}
