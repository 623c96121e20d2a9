/** The filters of changes, kept in the address. */
import { FilterInput } from '../../components/filter-input.tsx'
import { FilterSelect } from '../../components/filter-select.tsx'
import { Filters } from '../../components/filters.tsx'
import { periodState, readPeriod } from '../../components/period.ts'
import { PeriodPicker } from '../../components/period-picker.tsx'
import { useViewState } from '../../use-view-state.ts'
import { changeKinds } from './change-query.ts'

const offeredDays = [1, 7, 30, 90]

export function ChangeFilters() {
  const [state, change] = useViewState()
  const set = (field: string) => (value: string) => change({ [field]: value })
  return (
    <Filters>
      <PeriodPicker
        period={readPeriod(state)}
        offered={offeredDays}
        placeholder="All times"
        onChange={(period) => change(periodState(period))}
      />
      <FilterInput
        label="Changed by"
        placeholder="Principal or subject"
        value={state.actor ?? ''}
        onChange={set('actor')}
      />
      <FilterInput
        label="Connector or domain"
        placeholder="Name, id or domain"
        value={state.key ?? ''}
        onChange={set('key')}
      />
      <FilterSelect
        label="Kind"
        allLabel="All kinds"
        options={changeKinds}
        value={state.kind ?? ''}
        onChange={set('kind')}
      />
    </Filters>
  )
}
