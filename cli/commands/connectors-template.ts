/** `connectors template`: prints the connectors between the gateway and a tenant of Exchange Online. */
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { defineCommand } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { writeConfiguration } from '../connectors/write-configuration.ts'
import { parseTenant } from '../exchange-online/tenant-host.ts'
import { templateComment, templateHeading, tenantTemplate } from '../exchange-online/tenant-template.ts'

const gatewayPlaceholder = 'GATEWAY-HOST'

export const connectorTemplate = defineCommand({
  positionalUsage: { usage: 'exchange-online TENANT', minCount: 2, maxCount: 2 },
  requiredOptions: '--domain DOMAIN',
  usesApi: false,
  options: {
    domain: {
      type: 'string',
      multiple: true,
      value: 'DOMAIN',
      description: 'an accepted domain of the tenant; repeatable',
    },
    'tenant-id': {
      type: 'string',
      value: 'GUID',
      description: 'the tenant id (default: a placeholder, which "connectors apply" refuses)',
    },
    gateway: {
      type: 'string',
      value: 'HOST',
      description: `the host name of the gateway and of its client certificate (default: ${gatewayPlaceholder})`,
    },
  },
  details: `
TENANT is the tenant's name (contoso or contoso.onmicrosoft.com) or its host (contoso-com.mail.protection.outlook.com).

The file goes to standard output. It has an inbound connector, by which the tenant sends mail through the gateway, and
an outbound connector for mail to its mailboxes. Comments have the PowerShell commands for the tenant, which then
accepts mail only from the gateway.
`,
  async run({ values, positionals: [kind = '', text = ''], io }) {
    if (kind !== 'exchange-online')
      throw new UsageError(`unknown template "${kind}"; the template is exchange-online`)
    const tenant = parseTenant(text)
    if (tenant === null)
      throw new UsageError(
        `${text}: not a tenant; examples: contoso, contoso.onmicrosoft.com, contoso-com.mail.protection.outlook.com`,
      )
    if (values.domain.length === 0) throw new UsageError('connectors template requires --domain DOMAIN')
    const input = {
      tenant,
      domains: values.domain.map((name) => parseName('domain', name)),
      tenantId: values['tenant-id'] === undefined ? null : parseTenantId(values['tenant-id']),
      gateway: values.gateway === undefined ? gatewayPlaceholder : parseName('gateway', values.gateway),
    }
    io.out(
      writeConfiguration(
        tenantTemplate(input),
        templateHeading(input),
        (entry) => templateComment(entry, input),
        true,
      ),
    )
    return exitStatus.ok
  },
})

function parseName(option: string, text: string): string {
  const name = normaliseDomain(text)
  if (name === null) throw new UsageError(`--${option} ${text}: not a domain name`)
  return name
}

function parseTenantId(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  throw new UsageError(
    `--tenant-id ${text}: not a GUID, such as 72f988bf-86f1-41af-91ab-2d7cd011db47; the Microsoft Entra admin center shows it`,
  )
}
