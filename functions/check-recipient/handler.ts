/**
 * check-recipient: checks at its mailbox server whether a recipient exists. The ingress invokes it and waits for the
 * result.
 */
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { createSnapshotObject, snapshotStore } from '../../shared/connectors-table/snapshot-object.ts'
import { SnapshotReader } from '../../shared/connectors-table/snapshot-reader.ts'
import { CheckRecipientEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { CalloutRequest, type CalloutResult } from '../../shared/contract/recipient-callout.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { ClientCertificates } from '../../shared/net/client-certificates.ts'
import { readOnlyStore } from '../../shared/net/mta-sts/policy-store.ts'
import { MtaStsSource } from '../../shared/net/mta-sts/source.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { RevocationChecker } from '../../shared/net/revocation/checker.ts'
import { noStore } from '../../shared/net/revocation/revocation-store.ts'
import { PolicyTable } from '../../shared/transport/policy-table.ts'
import { calloutTimeouts, checkRecipient } from './check-recipient.ts'

const totalTimeoutMs = 12_000

/** Milliseconds. The result is cached by the ingress for longer. */
const maxSnapshotAgeMs = 5_000

const environment = readEnvironment(CheckRecipientEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const logger = new Logger({ serviceName: 'check-recipient' })
const snapshots = new SnapshotReader(documents, environment.CONNECTORS_TABLE, {
  object: createSnapshotObject(snapshotStore(documents, environment), (error) =>
    logger.warn('The snapshot of the connectors cannot be read', error),
  ),
})
const resolver = createResolver(environment.DNS_SERVERS)
const certificates = new ClientCertificates(
  new SecretsManagerClient(clientDefaults),
  undefined,
  environment.STACK_NAME,
)
const policies = new MtaStsSource({
  store: readOnlyStore(new PolicyTable(documents, environment.TRANSPORT_TABLE)),
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  now: () => new Date(),
  onFault: (fault) => logger.warn('MTA-STS: a policy could not be fetched or renewed', { ...fault }),
})
const revocation = new RevocationChecker({
  store: noStore,
  resolver,
  privateNetworks: environment.PRIVATE_MX_NETWORKS,
  now: () => new Date(),
})

export async function handler(event: unknown): Promise<CalloutResult> {
  const { address } = CalloutRequest.parse(event)
  const snapshot = await snapshots.current({ maxAgeMs: maxSnapshotAgeMs })
  const result = await checkRecipient(address, snapshot, {
    ehloName: environment.MAIL_HOSTNAME,
    resolver,
    privateNetworks: environment.PRIVATE_MX_NETWORKS,
    random: Math.random,
    timeouts: calloutTimeouts,
    mtaSts: (domain, signal) => policies.policyFor(domain, signal),
    readCredentials: (name) => certificates.read(name),
    stackName: environment.STACK_NAME,
    checkRevocation: (chain, signal) => revocation.checkSession(chain, signal),
    signal: AbortSignal.timeout(totalTimeoutMs),
  })
  logger.info('recipient checked', { address, ...result })
  return result
}
