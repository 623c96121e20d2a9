/** The filters of mail that waits, kept in the address. */
import { waitingReasons } from '../../../../../shared/policy/reasons.ts'
import type { ConnectorName } from '../../api/use-connector-names.ts'
import { FilterInput } from '../../components/filter-input.tsx'
import { FilterSelect } from '../../components/filter-select.tsx'
import { Filters } from '../../components/filters.tsx'
import { useViewState } from '../../use-view-state.ts'
import { noneValue } from './acts.ts'
import { kindTexts, reasonSentence } from './reason-text.ts'

const directions = [
  { value: 'Incoming', label: 'Incoming', description: 'To the organisation' },
  { value: 'Originating', label: 'Originating', description: 'From the organisation' },
]

const kinds = Object.entries(kindTexts).map(([value, description]) => ({ value, label: value, description }))

const reasons = waitingReasons.map((reason) => ({
  value: reason,
  label: reason,
  description: reasonSentence(reason),
}))

export function QueueFilters({ connectors }: { connectors: readonly ConnectorName[] }) {
  const [state, change] = useViewState()
  const set = (name: string) => (value: string) => change({ [name]: value, page: '' })
  return (
    <Filters>
      <FilterInput
        label="Partner"
        placeholder={`Domain, or ${noneValue}`}
        value={state.partner ?? ''}
        onChange={set('partner')}
      />
      <FilterSelect
        label="Direction"
        allLabel="Both directions"
        options={directions}
        value={state.direction ?? ''}
        onChange={set('direction')}
      />
      <FilterSelect
        label="Held or deferred"
        allLabel="Both"
        options={kinds}
        value={state.kind ?? ''}
        onChange={set('kind')}
      />
      <FilterSelect
        label="Reason"
        allLabel="All reasons"
        options={reasons}
        value={state.reason ?? ''}
        onChange={set('reason')}
      />
      <FilterSelect
        label="Connector"
        allLabel="All connectors"
        options={[
          { value: noneValue, label: 'No connector' },
          ...connectors.map(({ id, name, direction }) => ({
            value: id,
            label: name,
            description: direction,
          })),
        ]}
        value={state.connector ?? ''}
        onChange={set('connector')}
      />
    </Filters>
  )
}
