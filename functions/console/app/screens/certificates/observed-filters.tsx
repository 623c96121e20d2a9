/** The filters of observed certificates, kept in the address. */
import { FilterInput } from '../../components/filter-input.tsx'
import { FilterSelect } from '../../components/filter-select.tsx'
import { Filters } from '../../components/filters.tsx'
import { useViewState } from '../../use-view-state.ts'
import { kindTexts } from '../partners/certificates-seen.tsx'
import { observedKinds } from './observed-rows.ts'

const offeredDays = [3, 7, 14, 30, 90]

export function ObservedFilters() {
  const [{ kind = '', q = '', within = '', use = '' }, change] = useViewState()
  const set = (name: string) => (value: string) => change({ [name]: value, page: '' })
  return (
    <Filters>
      <FilterInput label="Text" placeholder="Connector, host, name, issuer" value={q} onChange={set('q')} />
      <FilterSelect
        label="Presented by"
        allLabel="All"
        options={observedKinds.map((value) => ({ value, label: value, description: kindTexts[value] }))}
        value={kind}
        onChange={set('kind')}
      />
      <FilterSelect
        label="Expires within"
        allLabel="Any time"
        options={offeredDays.map((days) => ({ value: String(days), label: `${days} days` }))}
        value={within}
        onChange={set('within')}
      />
      <FilterSelect
        label="Use"
        allLabel="In use"
        options={[
          {
            value: 'All',
            label: 'Also earlier ones',
            description: 'Superseded, or not seen for 30 days',
          },
        ]}
        value={use}
        onChange={set('use')}
      />
    </Filters>
  )
}
