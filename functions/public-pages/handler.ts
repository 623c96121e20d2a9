/**
 * public-pages: the ingress's certificates and the MTA-STS policy, without authentication. API Gateway, payload
 * format 2.0.
 */
import { Logger } from '@aws-lambda-powertools/logger'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import { mtaStsSettings, PagesEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { formatPolicy } from '../../shared/net/mta-sts/published.ts'
import { createPublicPages } from './pages.ts'

const environment = readEnvironment(PagesEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const mtaSts = mtaStsSettings(environment)

export const handler = createPublicPages({
  published: new PublishedCertificatesItem(documents, environment.CONNECTORS_TABLE),
  acceptedDomains: new ConnectorRepository(documents, environment.CONNECTORS_TABLE).acceptedDomains,
  policy: mtaSts && formatPolicy(mtaSts).text,
  publisher: {
    organisation: environment.ORGANISATION,
    contact: environment.CONTACT_ADDRESS,
  },
  logger: new Logger({ serviceName: 'public-pages' }),
})
