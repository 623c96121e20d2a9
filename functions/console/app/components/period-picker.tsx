/** Chooses the last days, or days of a calendar. */
import DateRangePicker, { type DateRangePickerProps } from '@cloudscape-design/components/date-range-picker'
import FormField from '@cloudscape-design/components/form-field'
import type { Period } from './period.ts'

interface PeriodPickerProps {
  period: Period | null
  /** Numbers of days that are offered. */
  offered: readonly number[]
  /** What is shown without a period; absent: there is always one. */
  placeholder?: string
  onChange(period: Period | null): void
}

export function PeriodPicker({ period, offered, placeholder, onChange }: PeriodPickerProps) {
  return (
    <FormField label="Period">
      <DateRangePicker
        dateOnly
        value={pickerValue(period)}
        relativeOptions={offered.map(relativeValue)}
        isValidRange={validate}
        showClearButton={placeholder !== undefined}
        placeholder={placeholder ?? ''}
        customRelativeRangeUnits={['day']}
        expandToViewport
        i18nStrings={{
          relativeModeTitle: 'Last days',
          absoluteModeTitle: 'From and to',
          customRelativeRangeOptionLabel: 'Another number of days',
          customRelativeRangeOptionDescription: 'The present day is the last one',
          formatRelativeRange: ({ amount }) => lastDays(amount),
        }}
        onChange={({ detail: { value } }) => onChange(chosenPeriod(value))}
      />
    </FormField>
  )
}

const lastDays = (days: number): string => (days === 1 ? 'Today' : `Last ${days} days`)

const relativeValue = (days: number): DateRangePickerProps.RelativeOption => ({
  key: String(days),
  amount: days,
  unit: 'day',
  type: 'relative',
})

function pickerValue(period: Period | null): DateRangePickerProps.Value | null {
  if (period === null) return null
  return period.kind === 'Last'
    ? relativeValue(period.days)
    : { type: 'absolute', startDate: period.from, endDate: period.to }
}

function chosenPeriod(value: DateRangePickerProps.Value | null): Period | null {
  if (value === null) return null
  return value.type === 'relative'
    ? { kind: 'Last', days: value.amount }
    : { kind: 'Days', from: value.startDate, to: value.endDate }
}

function validate(value: DateRangePickerProps.Value | null): DateRangePickerProps.ValidationResult {
  if (value?.type === 'absolute' && (value.startDate === '' || value.endDate === ''))
    return { valid: false, errorMessage: 'Choose the first and the last day.' }
  if (value?.type === 'absolute' && value.startDate > value.endDate)
    return { valid: false, errorMessage: 'The first day is after the last.' }
  return { valid: true }
}
