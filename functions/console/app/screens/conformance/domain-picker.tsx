/** The choice of the domain that is compared. */
import FormField from '@cloudscape-design/components/form-field'
import Select from '@cloudscape-design/components/select'
import { shortName } from '../../visible-text.ts'

interface DomainPickerProps {
  domains: readonly string[]
  /** Empty: none. */
  domain: string
  onChange(domain: string): void
}

const manyDomains = 8

const optionOf = (value: string) => ({ value, label: shortName(value) })

export const DomainPicker = ({ domains, domain, onChange }: DomainPickerProps) => (
  <div className="domain-picker">
    <FormField label="Domain">
      <Select
        options={domains.map(optionOf)}
        selectedOption={domain === '' ? null : optionOf(domain)}
        placeholder="Choose a domain"
        filteringType={domains.length > manyDomains ? 'auto' : 'none'}
        filteringAriaLabel="Find a domain"
        expandToViewport
        virtualScroll={domains.length > 100}
        onChange={({ detail }) => onChange(detail.selectedOption.value ?? '')}
      />
    </FormField>
  </div>
)
