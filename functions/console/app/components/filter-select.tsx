/** A choice of a filter; its first option selects everything. */
import FormField from '@cloudscape-design/components/form-field'
import Select from '@cloudscape-design/components/select'

interface FilterOption {
  value: string
  label: string
  description?: string
}

interface FilterSelectProps {
  label: string
  /** Label of the option that selects everything. */
  allLabel: string
  options: readonly FilterOption[]
  /** Empty: everything. */
  value: string
  onChange(value: string): void
}

const manyOptions = 8

export function FilterSelect({ label, allLabel, options, value, onChange }: FilterSelectProps) {
  const all = [{ value: '', label: allLabel }, ...options]
  return (
    <FormField label={label}>
      <Select
        options={all}
        selectedOption={all.find((option) => option.value === value) ?? { value, label: value }}
        filteringType={options.length > manyOptions ? 'auto' : 'none'}
        expandToViewport
        onChange={({ detail }) => onChange(detail.selectedOption.value ?? '')}
      />
    </FormField>
  )
}
