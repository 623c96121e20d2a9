/** The filters of a report, kept in the address. */
import { useConnectorNames } from '../../api/use-connector-names.ts'
import { FilterInput } from '../../components/filter-input.tsx'
import { FilterSelect } from '../../components/filter-select.tsx'
import { Filters } from '../../components/filters.tsx'
import { periodState, readPeriod } from '../../components/period.ts'
import { PeriodPicker } from '../../components/period-picker.tsx'
import { useViewState } from '../../use-view-state.ts'
import { type ReportName, reportFacts } from './report-facts.ts'
import { defaultPeriod, defaultTimeZone } from './report-query.ts'

const offeredDays = [7, 30, 90]

const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone
const zones = [...new Set([ownZone, ...Intl.supportedValuesOf('timeZone')])]
  .filter((zone) => zone !== defaultTimeZone)
  .map((zone) => ({ value: zone, label: zone, ...(zone === ownZone && { description: 'Yours' }) }))

export function ReportFilters({ name }: { name: ReportName }) {
  const [state, change] = useViewState()
  const connectors = useConnectorNames().data ?? []
  const { hasPeriod, hasTimeZone, hasConnector, partnerLabel, selected } = reportFacts[name]
  const set = (field: string) => (value: string) => change({ [field]: value, page: '' })
  return (
    <Filters>
      {hasPeriod && (
        <PeriodPicker
          period={readPeriod(state) ?? defaultPeriod}
          offered={offeredDays}
          onChange={(period) => change({ ...periodState(period), page: '' })}
        />
      )}
      <FilterInput
        label={partnerLabel}
        placeholder="Domain"
        value={state.partner ?? ''}
        onChange={set('partner')}
      />
      {hasConnector && (
        <FilterSelect
          label="Connector"
          allLabel="All connectors"
          options={connectors.map(({ id, name: label, direction }) => ({
            value: id,
            label,
            description: direction,
          }))}
          value={state.connector ?? ''}
          onChange={set('connector')}
        />
      )}
      {selected.map(({ parameter, label, values }) => (
        <FilterSelect
          key={parameter}
          label={label}
          allLabel="All"
          options={values.map((value) => ({ value, label: value === 'None' ? 'None: in the clear' : value }))}
          value={state[parameter] ?? ''}
          onChange={set(parameter)}
        />
      ))}
      {hasTimeZone && (
        <FilterSelect
          label="Time zone of the days"
          allLabel={defaultTimeZone}
          options={zones}
          value={state.zone ?? ''}
          onChange={set('zone')}
        />
      )}
    </Filters>
  )
}
