/** From and to: the direction of the mail, and whose servers are at the other end. */
import Container from '@cloudscape-design/components/container'
import FormField from '@cloudscape-design/components/form-field'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import type { ConnectorDirection } from '../partners/connector-text.ts'
import { ChoiceField } from './controls.tsx'
import { useForm } from './form.ts'

export function FromToStep() {
  const { draft, isEdit, turn } = useForm()
  const isInbound = draft.direction === 'inbound'
  return (
    <Container>
      <SpaceBetween size="l">
        <FormField
          label="Direction"
          description={
            isEdit
              ? 'A connector keeps its direction. For the other direction, add another connector.'
              : 'A partner usually has two connectors: one for each direction.'
          }
          stretch
        >
          <RadioGroup
            value={draft.direction}
            onChange={({ detail }) => turn(detail.value as ConnectorDirection)}
            items={[
              {
                value: 'inbound',
                label: 'Inbound: mail from them to us',
                description: 'What their servers must show before mailflow accepts their mail.',
                disabled: isEdit && !isInbound,
              },
              {
                value: 'outbound',
                label: 'Outbound: mail from us to them',
                description: 'The route of the mail, and what their servers must show before it is sent.',
                disabled: isEdit && isInbound,
              },
            ]}
          />
        </FormField>
        <ChoiceField
          name="connectorType"
          label={isInbound ? 'Mail from' : 'Mail to'}
          items={[
            {
              value: 'Partner',
              label: 'Partner organization',
              description: isInbound
                ? 'Restricts mail from its domains. It grants no relay.'
                : 'Forces TLS for mail to its domains.',
            },
            {
              value: 'OnPremises',
              label: 'Our own mail servers (OnPremises)',
              description: isInbound
                ? 'Servers that it identifies may relay: they send mail to any domain through mailflow. In Exchange: “Your organization’s email server”.'
                : 'Where mailboxes are. In Exchange: “Your organization’s email server”.',
            },
          ]}
        />
      </SpaceBetween>
    </Container>
  )
}
