/** S3 and SQS in this process, over HTTP. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer, json } from 'node:stream/consumers'
import { acceptedEntry, md5Of, operationOf, type SqsEntry } from './aws-answers.ts'
import { listen } from './listen.ts'

export interface FakeS3AndSqs {
  url: string
  /** Objects by key, without the bucket. */
  objects: Map<string, Buffer>
  /** Messages that the queues received, oldest first. `queue` is the last part of the queue's URL. */
  sent: (SqsEntry & { queue: string })[]
  /** Failed records that a function delayed, oldest first. */
  delayed: { queue: string; receipt: string; seconds: number }[]
  /** The code of S3's answer when there is no such object. */
  codeOfMissingObject: 'NoSuchKey' | 'AccessDenied'
  stop(): Promise<void>
}

export async function startS3AndSqs(): Promise<FakeS3AndSqs> {
  const objects: FakeS3AndSqs['objects'] = new Map()
  const sent: FakeS3AndSqs['sent'] = []
  const delayed: FakeS3AndSqs['delayed'] = []
  const { url, stop } = await listen(
    createServer(async (request, response) => {
      if (request.method === 'POST') {
        const answer = answerOfQueue(operationOf(request), await json(request))
        const headers = { 'content-type': 'application/x-amz-json-1.0' }
        return void response.writeHead(200, headers).end(JSON.stringify(answer))
      }
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://s3')
      const [, , ...key] = pathname.split('/')
      if (searchParams.has('list-type')) return void response.end(listing(searchParams.get('prefix') ?? ''))
      return keep(decodeURIComponent(key.join('/')), request, response)
    }),
  )

  function answerOfQueue(operation: string, body: unknown): object {
    const { QueueUrl, Entries = [], ...message } = body as QueueRequest
    const queue = QueueUrl.split('/').at(-1) ?? ''
    switch (operation) {
      case 'SendMessage':
        sent.push({ ...message, Id: '0', queue })
        return { MessageId: '0', MD5OfMessageBody: md5Of(message.MessageBody) }
      case 'ChangeMessageVisibilityBatch':
        for (const { ReceiptHandle: receipt, VisibilityTimeout: seconds } of Entries)
          delayed.push({ queue, receipt, seconds })
        return { Successful: Entries.map(({ Id }) => ({ Id })), Failed: [] }
      default:
        sent.push(...Entries.map((entry) => ({ ...entry, queue })))
        return { Successful: Entries.map((entry) => acceptedEntry(entry)), Failed: [] }
    }
  }

  function listing(prefix: string): string {
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
    const entry = (key: string) =>
      `<Contents><Key>${key}</Key><Size>${objects.get(key)?.length}</Size><ETag>"1"</ETag></Contents>`
    return `<ListBucketResult>${keys.map(entry).join('')}</ListBucketResult>`
  }

  async function keep(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'PUT') {
      objects.set(key, await buffer(request))
      return void response.writeHead(200, { etag: '"1"' }).end()
    }
    const object = objects.get(key)
    if (!object) {
      const code = storage.codeOfMissingObject
      const status = code === 'NoSuchKey' ? 404 : 403
      return void response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`)
    }
    const [, from = 0, to = object.length - 1] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    response.writeHead(206).end(object.subarray(Number(from), Number(to) + 1))
  }

  const storage: FakeS3AndSqs = { url, objects, sent, delayed, codeOfMissingObject: 'NoSuchKey', stop }
  return storage
}

type QueueRequest = SqsEntry & {
  QueueUrl: string
  Entries?: (SqsEntry & { ReceiptHandle: string; VisibilityTimeout: number })[]
}
