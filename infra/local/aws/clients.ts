/** Creates the runner's clients of the emulators, and the environment variables with their endpoints. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { region } from '../template.ts'
import type { Emulators } from './emulators.ts'
import { administratorKey } from './publishers.ts'

export interface Clients {
  readonly sqs: SQSClient
  readonly sns: SNSClient
  readonly s3: S3Client
  readonly dynamodb: DynamoDBClient
}

type ServiceEndpoints = Pick<Emulators['endpoints'], keyof Clients>

const credentials = { accessKeyId: administratorKey, secretAccessKey: 'local' }

export function connect({ endpoints }: { endpoints: ServiceEndpoints }): Clients {
  return {
    sqs: new SQSClient({ region, credentials, endpoint: endpoints.sqs }),
    sns: new SNSClient({ region, credentials, endpoint: endpoints.sns }),
    s3: new S3Client({ region, credentials, endpoint: endpoints.s3, forcePathStyle: true }),
    dynamodb: new DynamoDBClient({ region, credentials, endpoint: endpoints.dynamodb }),
  }
}

/** The environment variables that Lambda and ECS set, with the endpoints of the emulators. */
export function runtimeEnvironment({ endpoints }: Emulators): Record<string, string> {
  return {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: 'ingress',
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_SQS: endpoints.sqs,
    AWS_ENDPOINT_URL_SNS: endpoints.sns,
    AWS_ENDPOINT_URL_S3: endpoints.s3,
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_SES: endpoints.ses,
    AWS_ENDPOINT_URL_SESV2: endpoints.ses,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.secrets,
    AWS_ENDPOINT_URL_EVENTBRIDGE: endpoints.events,
    AWS_ENDPOINT_URL_ATHENA: endpoints.athena,
    AWS_ENDPOINT_URL_CLOUDWATCH: endpoints.cloudWatch,
    TZ: 'UTC',
    ...extraAuthorities(),
  }
}

/** Copies Node's variable for a file of additional trusted authorities. */
function extraAuthorities(): Record<string, string> {
  const { NODE_EXTRA_CA_CERTS } = process.env
  return NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS }
}
