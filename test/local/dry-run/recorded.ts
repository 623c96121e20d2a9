/** What the stack recorded: the raw events in the bucket, and the client certificates in the messages table. */
import { gunzipSync } from 'node:zlib'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { MailEvent } from '../../../shared/contract/events.ts'
import { SharedCertificate } from '../../../shared/messages/message-item.ts'
import { unpackDetail } from '../../../shared/messages/packed-detail.ts'
import type { Stack } from './stack.ts'

const aws = { region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }

export async function readEvents({ runner: { endpoints } }: Stack): Promise<MailEvent[]> {
  const s3 = new S3Client({ ...aws, endpoint: endpoints.s3, forcePathStyle: true })
  const events: MailEvent[] = []
  let token: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: endpoints.eventsBucket, Prefix: 'raw/', ContinuationToken: token }),
    )
    for (const { Key } of page.Contents ?? []) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: endpoints.eventsBucket, Key }))
      const lines = gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array())
        .toString()
        .split('\n')
      events.push(...lines.filter(Boolean).map((line) => MailEvent.parse(JSON.parse(line))))
    }
    token = page.NextContinuationToken
  } while (token !== undefined)
  s3.destroy()
  return events
}

/** Returns the chains of the client certificates of accepted mail, by fingerprint. The trace keeps them. */
export async function readChains({ runner: { endpoints } }: Stack): Promise<Map<string, string[]>> {
  const client = new DynamoDBClient({ ...aws, endpoint: endpoints.dynamodb })
  const documents = DynamoDBDocumentClient.from(client)
  const chains = new Map<string, string[]>()
  let start: Record<string, unknown> | undefined
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: endpoints.tables.messages,
        FilterExpression: 'begins_with(pk, :kind)',
        ExpressionAttributeValues: { ':kind': 'client-certificate#' },
        ExclusiveStartKey: start,
      }),
    )
    for (const { detail } of page.Items ?? []) {
      const { fingerprint256, chain } = SharedCertificate.parse(unpackDetail(detail))
      chains.set(fingerprint256, chain)
    }
    start = page.LastEvaluatedKey
  } while (start !== undefined)
  client.destroy()
  return chains
}
