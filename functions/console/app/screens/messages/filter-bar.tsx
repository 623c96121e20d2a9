/** The period and the filters of the message trace. */
import Box from '@cloudscape-design/components/box'
import DateRangePicker from '@cloudscape-design/components/date-range-picker'
import PropertyFilter, { type PropertyFilterProps } from '@cloudscape-design/components/property-filter'
import SpaceBetween from '@cloudscape-design/components/space-between'
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { type ConnectorName, useConnectorNames } from '../../api/use-connector-names.ts'
import { ViewLink } from '../../components/view-link.tsx'
import type { ViewState } from '../../use-view-state.ts'
import { sizeText } from '../message/octets.ts'
import { SavedFilters } from './saved-filters-control.tsx'
import { rangeChange, rangeFault, readRange, relativeRanges, type TimeRange } from './time-range.ts'
import {
  type FilterKey,
  filterHints,
  filterKeys,
  filterLabels,
  filtersOf,
  filterValues,
  fromTokens,
  isMessageId,
  operatorOf,
  toTokens,
  toViewChange,
} from './trace-filters.ts'

interface FilterBarProps {
  state: ViewState
  change(change: Readonly<Record<string, string>>): void
}

export function FilterBar({ state, change }: FilterBarProps) {
  const connectors = namesOf(useConnectorNames().data ?? [])
  return (
    <SpaceBetween size="s">
      <SpaceBetween direction="horizontal" size="s">
        <div className="period">
          <DateRangePicker
            ariaLabel="Period in which the mail was received"
            value={readRange(state)}
            relativeOptions={relativeRanges}
            isValidRange={(range) => {
              const fault = rangeFault(range as TimeRange | null)
              return fault === null ? { valid: true } : { valid: false, errorMessage: fault }
            }}
            showClearButton={false}
            absoluteFormat="long-localized"
            onChange={({ detail }) => detail.value !== null && change(rangeChange(detail.value as TimeRange))}
          />
        </div>
        <div className="not-printed">
          <SavedFilters state={state} change={change} />
        </div>
      </SpaceBetween>
      <PropertyFilter
        query={{ operation: 'and', tokens: toTokens(filtersOf(state)) as PropertyFilterProps.Token[] }}
        onChange={({ detail }) => change(toViewChange(fromTokens(detail.tokens)))}
        filteringProperties={propertiesOf(connectors)}
        filteringOptions={optionsOf(connectors)}
        filteringAriaLabel="Filter messages"
        filteringPlaceholder="A recipient’s address, a domain, or choose: sender, state, Message-ID …"
        filteringEmpty="No suggestions"
        readOnlyOperations
      />
      {filterHints(filtersOf(state)).map((hint) => (
        <StatusIndicator key={hint} type="warning">
          {hint}
        </StatusIndicator>
      ))}
      {isMessageId(state.domain ?? '') && (
        <Box>
          This is an id of a message:{' '}
          <ViewLink to={`/messages/${(state.domain ?? '').toUpperCase()}`}>show the message</ViewLink>
        </Box>
      )}
      {state.state !== 'Rejected' && state.search === undefined && (
        <Box color="text-body-secondary">
          Mail that was refused in the session is listed apart:{' '}
          <ViewLink to={refusalsPath(state)}>show refusals with these filters</ViewLink>
        </Box>
      )}
    </SpaceBetween>
  )
}

const refusalsPath = (state: ViewState): string => {
  const { cursor: _, ...filters } = state
  const given = Object.entries({ ...filters, state: 'Rejected' }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  return `/messages?${new URLSearchParams(given)}`
}

type Names = ReadonlyMap<string, string>

/** Mail of a deleted connector is found by its id. */
const namesOf = (connectors: readonly ConnectorName[]): Names =>
  new Map(connectors.map(({ id, name, direction }) => [id, `${name} (${direction.toLowerCase()})`]))

const propertiesOf = (connectors: Names): PropertyFilterProps.FilteringProperty[] =>
  filterKeys.map((key) => ({
    key,
    propertyLabel: filterLabels[key],
    groupValuesLabel: `${filterLabels[key]} values`,
    operators: [
      { operator: operatorOf(key), format: (value: unknown) => valueText(key, String(value), connectors) },
    ],
    defaultOperator: operatorOf(key),
  }))

function valueText(key: FilterKey, value: string, connectors: Names): string {
  if (key === 'connector') return connectors.get(value) ?? value
  const octets = key === 'minSize' ? Number(value) : Number.NaN
  return Number.isNaN(octets) ? value : sizeText(octets)
}

const optionsOf = (connectors: Names): PropertyFilterProps.FilteringOption[] => [
  ...Object.entries(filterValues).flatMap(([propertyKey, values]) =>
    Object.entries(values).map(([value, label]) => ({ propertyKey, value, label })),
  ),
  ...[...connectors].map(([value, label]) => ({ propertyKey: 'connector', value, label })),
  { propertyKey: 'sender', value: '<>', label: '<>: delivery status notifications' },
  ...['1 MB', '10 MB', '25 MB'].map((value) => ({ propertyKey: 'minSize', value })),
]
