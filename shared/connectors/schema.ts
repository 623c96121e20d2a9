/**
 * Connectors and accepted domains as an administrator writes them, with Exchange's names in camelCase
 * (New-InboundConnector, New-OutboundConnector). The API's input, the stored items and the OpenAPI document use these
 * schemas. Unknown fields are errors.
 */
import * as z from 'zod'
import { comment, nameDescription } from './fields.ts'
import { InboundFields } from './inbound-fields.ts'
import { inboundRules } from './inbound-rules.ts'
import { type DefaultRoute, OutboundFields, route, routeMeaning } from './outbound-fields.ts'
import { outboundRules } from './outbound-rules.ts'
import { type SpanningRule, withSpanningRules } from './spanning-rules.ts'
import { OutboundValidation } from './validation.ts'

export const InboundConnectorInput = withSpanningRules(InboundFields, inboundRules)
export type InboundConnectorInput = z.output<typeof InboundConnectorInput>

/** An outbound connector with its route. */
export const OutboundConnectorInput = withSpanningRules(OutboundFields, outboundRules(null))
export type OutboundConnectorInput = z.output<typeof OutboundConnectorInput>

/** An outbound connector whose route may be missing. The deployment's default is then stored as its value. */
export const outboundConnectorInput = (defaultRoute: DefaultRoute) =>
  withSpanningRules(
    OutboundFields.extend({ route: route.default(defaultRoute).describe(routeMeaning) }),
    outboundRules(defaultRoute),
  )

/** For a check before the deployment's default is known. The rules about routes ignore a missing route. */
export const OutboundConnectorDraft = withSpanningRules(
  OutboundFields.extend({ route: route.optional() }),
  outboundRules(null) as SpanningRule<
    Omit<OutboundFields, 'route'> & { route?: OutboundFields['route'] | undefined }
  >[],
)

export const AcceptedDomainInput = z.strictObject({
  recipients: z
    .enum(['Any', 'List', 'SmtpCallout'])
    .default('Any')
    .describe(
      'the recipients that are accepted. Any: every address; List: those of /accepted-domains/{domain}/recipients; SmtpCallout: those that the next hop of the outbound connector accepts at RCPT TO',
    ),
  comment,
})
export type AcceptedDomainInput = z.output<typeof AcceptedDomainInput>

/** Earlier versions accepted names with invisible characters; such connectors stay valid until they are written. */
const storedName = { name: z.string().describe(nameDescription) }

/** Fields that the API sets. `version` is the number of writes; times are ISO 8601 in UTC. */
const stored = {
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  version: z.int().positive().describe('number of writes; the ETag'),
}
const id = z.ulid()

export const InboundConnector = z.strictObject({ id, ...InboundFields.shape, ...storedName, ...stored })
export type InboundConnector = z.output<typeof InboundConnector>

export const OutboundConnector = z.strictObject({
  id,
  ...OutboundFields.shape,
  ...storedName,
  ...stored,
  validation: OutboundValidation.nullable().describe(
    'the last validation of the connector as it was last written; null: none',
  ),
})
export type OutboundConnector = z.output<typeof OutboundConnector>

/** The list of a domain's recipients (shared/connectors-table/recipient-lists.ts). */
export const RecipientList = z.strictObject({
  version: z.ulid().describe('changes with each write of the list'),
  addresses: z.int().positive(),
  updatedAt: z.iso.datetime(),
})
export type RecipientList = z.output<typeof RecipientList>

export const AcceptedDomain = z.strictObject({
  domain: z.string(),
  ...AcceptedDomainInput.shape,
  recipientList: RecipientList.optional().describe('absent if no list was written'),
  ...stored,
})
export type AcceptedDomain = z.output<typeof AcceptedDomain>
