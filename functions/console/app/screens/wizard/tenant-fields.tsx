/** The tenant of Exchange Online that a connector for own servers identifies. */
import ExpandableSection from '@cloudscape-design/components/expandable-section'
import FormField from '@cloudscape-design/components/form-field'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Textarea from '@cloudscape-design/components/textarea'
import { faultTexts } from './controls.tsx'
import { useForm } from './form.ts'
import type { TenantText } from './read-field.ts'

const name = 'exchangeOnline'

export function TenantFields() {
  const { draft, change, faultsOf } = useForm()
  const tenant = draft.values[name] as TenantText
  const faults = faultsOf(name)
  const set = (part: Partial<TenantText>) => change({ [name]: { ...tenant, ...part } })
  return (
    <ExpandableSection
      variant="container"
      headerText="Our tenant of Exchange Online"
      defaultExpanded={tenant.tenantIds !== '' || faults.length > 0}
    >
      <SpaceBetween size="l">
        <FormField
          label="Tenant ids"
          description="All tenants share a certificate name, so a message must also show the tenant. The certificate name is then mail.protection.outlook.com alone."
          errorText={faultTexts(faults)}
          stretch
        >
          <Textarea
            value={tenant.tenantIds}
            onChange={({ detail }) => set({ tenantIds: detail.value })}
            placeholder="72f988bf-86f1-41af-91ab-2d7cd011db47"
            rows={2}
            spellcheck={false}
          />
        </FormField>
        <FormField
          label="Originator organizations"
          description="Domains in X-OriginatorOrg, which identify the tenant when the tenant id is missing."
          stretch
        >
          <Textarea
            value={tenant.originatorOrganizations}
            onChange={({ detail }) => set({ originatorOrganizations: detail.value })}
            rows={2}
            spellcheck={false}
          />
        </FormField>
      </SpaceBetween>
    </ExpandableSection>
  )
}
