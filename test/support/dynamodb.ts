/** DynamoDB in this process, with the stack's three tables. */
import type { AddressInfo } from 'node:net'
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb'
import { startTables } from '../../infra/local/aws/tables.ts'
import {
  byTime,
  byTimeAttributes,
  byWaiting,
  byWaitingAttributes,
} from '../../shared/contract/messages-index.ts'

export interface TestDynamoDb {
  documents: DynamoDBDocumentClient
  /** `http://127.0.0.1:port`, for a test's own clients. */
  endpoint: string
  connectorsTable: string
  messagesTable: string
  transportTable: string
  stop(): Promise<void>
}

const keys = {
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  BillingMode: 'PAY_PER_REQUEST',
} satisfies Partial<CreateTableCommandInput>

const strings = (...names: string[]) =>
  names.map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const }))

const connectorsTableInput: CreateTableCommandInput = {
  ...keys,
  TableName: 'connectors',
  AttributeDefinitions: strings('pk', 'sk'),
}

const messagesTable: CreateTableCommandInput = {
  ...keys,
  TableName: 'messages',
  AttributeDefinitions: strings('pk', 'sk', 'bucket', 'order', 'waiting'),
  GlobalSecondaryIndexes: [
    {
      IndexName: byTime,
      KeySchema: [
        { AttributeName: 'bucket', KeyType: 'HASH' },
        { AttributeName: 'order', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: byTimeAttributes },
    },
    {
      IndexName: byWaiting,
      KeySchema: [
        { AttributeName: 'waiting', KeyType: 'HASH' },
        { AttributeName: 'order', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: byWaitingAttributes },
    },
  ],
}

const transportTable: CreateTableCommandInput = {
  ...keys,
  TableName: 'transport',
  AttributeDefinitions: strings('pk', 'sk'),
}

/** Starts on a free port of the loopback interface, in memory. */
export async function startDynamoDb(): Promise<TestDynamoDb> {
  const server = await startTables(null)
  // A test may use the tables long after another test: the server must not close a connection that the client keeps.
  server.keepAliveTimeout = 0
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new DynamoDBClient({
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })
  for (const table of [connectorsTableInput, messagesTable, transportTable])
    await client.send(new CreateTableCommand(table))
  return {
    documents: DynamoDBDocumentClient.from(client),
    endpoint,
    connectorsTable: 'connectors',
    messagesTable: 'messages',
    transportTable: 'transport',
    async stop() {
      client.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Deletes the items of a table. */
export async function emptyTable(
  { documents, connectorsTable }: TestDynamoDb,
  table = connectorsTable,
): Promise<void> {
  const pages = paginateScan({ client: documents, pageSize: 25 }, { TableName: table })
  for await (const { Items = [] } of pages)
    if (Items.length > 0)
      await documents.send(
        new BatchWriteCommand({
          RequestItems: {
            [table]: Items.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } })),
          },
        }),
      )
}
