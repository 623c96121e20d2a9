/**
 * validate-connector: validates outbound connectors, and checks the DNS records of accepted domains. Its event is API
 * Gateway's payload format 2.0. It is separate from connector-api because it must open sessions from the network of
 * deliver-message, and query its resolvers.
 */
import { networkInterfaces } from 'node:os'
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import { readEnvironment, ValidateEnvironment } from '../../shared/contract/environment.ts'
import { readRoleMapping } from '../../shared/contract/roles.ts'
import { clientDefaults, singleAttempt } from '../../shared/lambda/aws-clients.ts'
import { ClientCertificates } from '../../shared/net/client-certificates.ts'
import { readOnlyStore } from '../../shared/net/mta-sts/policy-store.ts'
import { MtaStsSource } from '../../shared/net/mta-sts/source.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { RevocationChecker } from '../../shared/net/revocation/checker.ts'
import { noStore } from '../../shared/net/revocation/revocation-store.ts'
import { SesApi } from '../../shared/net/ses-api.ts'
import { PolicyTable } from '../../shared/transport/policy-table.ts'
import { createValidationApi } from './api.ts'
import { type Options, validate } from './validate.ts'

/**
 * The function may run for 29 seconds, and API Gateway waits for 30. Each timeout is short enough to report the step
 * that hangs. The test message always has ten seconds left.
 */
const limits: Options['limits'] = { resolveMs: 6_000, probeMs: 15_000, totalMs: 25_000 }
const timeouts = { connect: 5_000, greeting: 8_000, command: 6_000, data: 8_000 }

const environment = readEnvironment(ValidateEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const repository = new ConnectorRepository(documents, environment.CONNECTORS_TABLE)

const logger = new Logger({ serviceName: 'validate-connector' })
const resolver = createResolver(environment.DNS_SERVERS)

/** Reads stored policies and stores none: a validation must not affect deliveries. */
const policies = new MtaStsSource({
  store: readOnlyStore(new PolicyTable(documents, environment.TRANSPORT_TABLE)),
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  now: () => new Date(),
  onFault: (fault) => logger.warn('MTA-STS: a policy could not be fetched or renewed', { ...fault }),
})

/** Each session gets a new checker: a validation must not use a cached revocation status. */
const createRevocationChecker = () =>
  new RevocationChecker({
    store: noStore,
    resolver,
    privateNetworks: environment.PRIVATE_MX_NETWORKS,
    now: () => new Date(),
  })

const certificates = new ClientCertificates(
  new SecretsManagerClient(clientDefaults),
  undefined,
  environment.STACK_NAME,
)

const options: Options = {
  smtp: {
    ehloName: environment.MAIL_HOSTNAME,
    resolver,
    privateNetworks: environment.PRIVATE_MX_NETWORKS,
    random: Math.random,
    timeouts,
    mtaSts: (domain, signal) => policies.policyFor(domain, signal),
    readCredentials: (name) => certificates.read(name),
    stackName: environment.STACK_NAME,
    checkRevocation: (chain, signal) => createRevocationChecker().checkSession(chain, signal),
    ipv6: hasIpv6(),
  },
  ses: {
    ses: new SesApi(singleAttempt),
    configurationSets: {
      requireTls: environment.SES_CONFIGURATION_SET_REQUIRE_TLS,
      optionalTls: environment.SES_CONFIGURATION_SET_OPTIONAL_TLS,
    },
  },
  limits,
}

export const handler = createValidationApi({
  outbound: repository.outbound,
  acceptedDomains: repository.acceptedDomains,
  published: new PublishedCertificatesItem(documents, environment.CONNECTORS_TABLE),
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  validate: (connector, testMessage) => validate(connector, testMessage, options),
  hostname: environment.MAIL_HOSTNAME,
  roles: readRoleMapping(environment.SIGN_IN_ROLES),
  logger,
})

/** Whether this function has an IPv6 address that reaches other networks; a link-local address (fe80::/10) does not. */
function hasIpv6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.some(
    ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address),
  )
}
