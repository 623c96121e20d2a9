/** Links to some messages. The end of an id suffices to tell them apart; its title has the whole id. */
import { ViewLink } from './view-link.tsx'

const shownCharacters = 8

interface SampleLinksProps {
  ids: readonly string[]
  /** Numbers in a line instead of ids, for a table with many columns. */
  isNarrow?: boolean
}

export function SampleLinks({ ids, isNarrow = false }: SampleLinksProps) {
  return ids.map((id, index) => (
    <span key={id} className={isNarrow ? 'sample-number' : 'sample'} title={id}>
      <ViewLink to={`/messages/${id}`}>
        {isNarrow ? (
          <>
            <span className="spoken">Message {id}</span>
            <span aria-hidden="true">{index + 1}</span>
          </>
        ) : (
          `…${id.slice(-shownCharacters)}`
        )}
      </ViewLink>
    </span>
  ))
}
