/** The choice of the domain that is compared. */
import FormField from '@cloudscape-design/components/form-field'
import Select from '@cloudscape-design/components/select'

interface DomainPickerProps {
  domains: readonly string[]
  /** Empty: none. */
  domain: string
  onChange(domain: string): void
}

const manyDomains = 8

export const DomainPicker = ({ domains, domain, onChange }: DomainPickerProps) => (
  <FormField label="Domain">
    <Select
      options={domains.map((value) => ({ value }))}
      selectedOption={domain === '' ? null : { value: domain }}
      placeholder="Choose a domain"
      filteringType={domains.length > manyDomains ? 'auto' : 'none'}
      filteringAriaLabel="Find a domain"
      expandToViewport
      virtualScroll={domains.length > 100}
      onChange={({ detail }) => onChange(detail.selectedOption.value ?? '')}
    />
  </FormField>
)
