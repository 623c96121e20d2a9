/**
 * Builds the routes that need the network of deliver-message: the checks of a domain's DNS records and of its conformance
 * with standards, and the validation of a connector, whose result is stored if the connector has not changed meanwhile.
 */
import type { Logger } from '@aws-lambda-powertools/logger'
import * as z from 'zod'
import type { OutboundConnector } from '../../shared/connectors/schema.ts'
import {
  type OutboundValidation,
  type OutboundValidationInput,
  validateOutboundConnector,
} from '../../shared/connectors/validation.ts'
import type { AcceptedDomains, OutboundConnectors } from '../../shared/connectors-table/repository.ts'
import type { RoleMapping } from '../../shared/contract/roles.ts'
import type { Fault } from '../../shared/contract/schema-faults.ts'
import { createHttpApi, type HttpApi } from '../../shared/http-api/http-api.ts'
import { Problem } from '../../shared/http-api/problem.ts'
import { type Route, route } from '../../shared/http-api/route.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { domainMatchesPattern } from '../../shared/mail/domain.ts'
import { type ConformanceDependencies, domainConformanceRoute } from './domain-conformance.ts'
import { domainDnsRoute } from './domain-dns.ts'
import type { TestMessage } from './test-message.ts'

export interface Dependencies
  extends Pick<
    ConformanceDependencies,
    'published' | 'resolver' | 'privateNetworks' | 'totalMs' | 'smtpPort'
  > {
  outbound: Pick<OutboundConnectors, 'get' | 'saveValidation'>
  acceptedDomains: Pick<AcceptedDomains, 'get' | 'page'>
  validate(connector: OutboundConnector, testMessage: TestMessage): Promise<OutboundValidation>
  /** Host name of this gateway. */
  hostname: string
  /** Null when the deployment has no sign-in. */
  roles: RoleMapping | null
  logger: Logger
  /** Milliseconds since the epoch. */
  now?: () => number
}

export function createValidationApi(dependencies: Dependencies): HttpApi {
  const { roles, logger, now = Date.now } = dependencies
  const domainDependencies = { ...dependencies, now }
  const routes = [
    validationRoute(dependencies),
    domainDnsRoute(domainDependencies),
    domainConformanceRoute(domainDependencies),
  ]
  return createHttpApi(routes, { roles, logger, now })
}

const validationRoute = (dependencies: Dependencies): Route =>
  route(validateOutboundConnector, async ({ parameter, body }) => ({
    status: 200,
    body: await validateById(parameter, body, dependencies),
  }))

/** @throws Problem 404, 409, 422 */
async function validateById(
  id: string,
  body: z.output<typeof OutboundValidationInput>,
  dependencies: Dependencies,
): Promise<OutboundValidation> {
  const { outbound, validate, hostname, logger, now = Date.now } = dependencies
  const connector = await findConnector(id, outbound)
  const recipients = body.recipients ?? [await defaultRecipient(connector, dependencies)]
  await assertRecipientsMatch(connector, recipients, dependencies)
  const from = await testMessageSender(dependencies)
  const validation = await validate(connector, { from, recipients, hostname, at: new Date(now()) })
  logger.info('Outbound connector validated', {
    connector: connector.id,
    succeeded: validation.succeeded,
    failed: validation.steps.filter(({ succeeded }) => !succeeded),
    durationMs: validation.durationMs,
  })
  if (await outbound.saveValidation(connector.id, validation)) return validation
  await findConnector(connector.id, outbound)
  throw new Problem(
    409,
    'The connector changed during its validation, so the result is not stored. Validate it again.',
  )
}

async function findConnector(id: string, outbound: Dependencies['outbound']): Promise<OutboundConnector> {
  const connector = z.ulid().safeParse(id).success ? await outbound.get(id) : null
  if (connector === null) throw new Problem(404, 'There is no such outbound connector.')
  return connector
}

/** RFC 5321 §4.5.1: every domain that accepts mail has a postmaster. */
async function defaultRecipient(
  { recipientDomains, allAcceptedDomains }: OutboundConnector,
  { acceptedDomains }: Dependencies,
): Promise<string> {
  const domain =
    recipientDomains.find((pattern) => !pattern.startsWith('*')) ??
    (allAcceptedDomains ? (await acceptedDomains.page(null, 1)).items[0]?.domain : undefined)
  if (domain !== undefined) return `postmaster@${domain}`
  throw invalidBody([
    { path: 'recipients', message: 'is required, because the connector names no domain without a wildcard' },
  ])
}

/** With route Mx each domain has its own hosts, so a validation covers only one domain. */
async function assertRecipientsMatch(
  connector: OutboundConnector,
  recipients: readonly string[],
  { acceptedDomains }: Dependencies,
): Promise<void> {
  const faults: Fault[] = []
  const [firstDomain] = recipients.map(domainOf)
  for (const [index, address] of recipients.entries()) {
    const path = `recipients[${index}]`
    const domain = domainOf(address) ?? ''
    if (!(await isDomainOfConnector(connector, domain, acceptedDomains)))
      faults.push({ path, message: `${domain} is not a domain of this connector` })
    else if (connector.route === 'Mx' && domain !== firstDomain)
      faults.push({
        path,
        message: 'has another domain than the first; with route Mx, validate one domain at a time',
      })
  }
  if (faults.length > 0) throw invalidBody(faults)
}

async function isDomainOfConnector(
  { recipientDomains, allAcceptedDomains }: OutboundConnector,
  domain: string,
  acceptedDomains: Dependencies['acceptedDomains'],
): Promise<boolean> {
  if (recipientDomains.some((pattern) => domainMatchesPattern(domain, pattern))) return true
  return allAcceptedDomains && (await acceptedDomains.get(domain)) !== null
}

async function testMessageSender({ acceptedDomains }: Dependencies): Promise<string> {
  const { items } = await acceptedDomains.page(null, 1)
  const domain = items[0]?.domain
  if (domain !== undefined) return `mailflow-validation@${domain}`
  throw new Problem(
    409,
    'The test message needs a sender address, and there is no accepted domain. Add one first: PUT /accepted-domains/{domain}.',
  )
}

const invalidBody = (errors: readonly Fault[]): Problem =>
  new Problem(422, 'The body is not valid.', { errors })
