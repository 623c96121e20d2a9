/**
 * Exports the tables and the content of a running local stack to a folder, and imports them into another stack. A table
 * is one file, with one item on a line, in the format of DynamoDB's export to S3
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AttributeValue, DynamoDBClient, PutItemCommand, paginateScan } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import type { Endpoints } from '../../infra/local/endpoints.ts'

type Item = Record<string, AttributeValue>

const common = { region: 'eu-west-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
const dynamodbOf = ({ dynamodb }: Endpoints) => new DynamoDBClient({ ...common, endpoint: dynamodb })
const s3Of = ({ s3 }: Endpoints) => new S3Client({ ...common, endpoint: s3, forcePathStyle: true })

export async function exportData(endpoints: Endpoints, folder: string): Promise<void> {
  const [client, s3] = [dynamodbOf(endpoints), s3Of(endpoints)]
  for (const name of ['tables', 'content']) mkdirSync(join(folder, name), { recursive: true })
  for (const [name, TableName] of Object.entries(endpoints.tables)) {
    const items: Item[] = []
    for await (const { Items = [] } of paginateScan({ client }, { TableName, ConsistentRead: true }))
      items.push(...Items)
    writeItems(folder, name, items)
  }
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: endpoints.bucket }))
    for (const { Key = '' } of Contents) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: endpoints.bucket, Key }))
      const octets = (await Body?.transformToByteArray()) ?? new Uint8Array()
      writeFileSync(join(folder, 'content', encodeURIComponent(Key)), octets)
    }
}

export async function importData(endpoints: Endpoints, folder: string): Promise<void> {
  const [client, s3] = [dynamodbOf(endpoints), s3Of(endpoints)]
  for (const [name, TableName] of Object.entries(endpoints.tables))
    for (const Item of readItems(folder, name)) await client.send(new PutItemCommand({ TableName, Item }))
  for (const file of readdirSync(join(folder, 'content'))) {
    const Body = readFileSync(join(folder, 'content', file))
    const Key = decodeURIComponent(file)
    await s3.send(new PutObjectCommand({ Bucket: endpoints.bucket, Key, Body }))
  }
}

const tableFile = (folder: string, table: string) => join(folder, 'tables', `${table}.json`)

export const readItems = (folder: string, table: string): Item[] =>
  readFileSync(tableFile(folder, table), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line, reviveBinary).Item)

export const writeItems = (folder: string, table: string, items: readonly Item[]): void =>
  writeFileSync(
    tableFile(folder, table),
    items.map((Item) => `${JSON.stringify({ Item }, writeBinary)}\n`).join(''),
  )

/** Binary attributes are base64. */
const writeBinary = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value

const reviveBinary = (name: string, value: unknown): unknown =>
  name === 'B' && typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value
