/** Links to some messages. The end of an id suffices to tell them apart; its title has the whole id. */
import Popover from '@cloudscape-design/components/popover'
import { countText } from '../../../../shared/policy/text-lists.ts'
import { ViewLink } from './view-link.tsx'

const shownCharacters = 8

export const SampleLinks = ({ ids }: { ids: readonly string[] }) =>
  ids.map((id) => (
    <span key={id} className="sample" title={id}>
      <ViewLink to={`/messages/${id}`}>{`…${id.slice(-shownCharacters)}`}</ViewLink>
    </span>
  ))

/** Their number, which shows them: for a table with many columns. */
export const SampleList = ({ ids }: { ids: readonly string[] }) =>
  ids.length < 2 ? (
    <SampleLinks ids={ids} />
  ) : (
    <Popover
      triggerType="text-inline"
      header="Messages of this row"
      dismissAriaLabel="Close"
      renderWithPortal
      content={<SampleLinks ids={ids} />}
    >
      <span className="unbroken">{countText(ids.length, 'message')}</span>
    </Popover>
  )
