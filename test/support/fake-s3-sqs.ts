/** S3 and SQS in this process, over HTTP. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer, json } from 'node:stream/consumers'
import { acceptedEntry, type SqsEntry } from './aws-answers.ts'
import { listen } from './listen.ts'

export interface FakeS3AndSqs {
  url: string
  /** Objects by key, without the bucket. */
  objects: Map<string, Buffer>
  /** Messages that the queues received, oldest first. `queue` is the last part of the queue's URL. */
  sent: (SqsEntry & { queue: string })[]
  stop(): Promise<void>
}

export async function startS3AndSqs(): Promise<FakeS3AndSqs> {
  const objects: FakeS3AndSqs['objects'] = new Map()
  const sent: FakeS3AndSqs['sent'] = []
  const { url, stop } = await listen(
    createServer(async (request, response) => {
      if (request.method === 'POST') return take(await json(request), response)
      const [, , ...key] = new URL(request.url ?? '', 'http://s3').pathname.split('/')
      return keep(key.join('/'), request, response)
    }),
  )

  function take(batch: unknown, response: ServerResponse): void {
    const { Entries, QueueUrl } = batch as { Entries: SqsEntry[]; QueueUrl: string }
    const queue = QueueUrl.split('/').at(-1) ?? ''
    sent.push(...Entries.map((entry) => ({ ...entry, queue })))
    const answer = { Successful: Entries.map((entry) => acceptedEntry(entry)), Failed: [] }
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer))
  }

  async function keep(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'PUT') {
      objects.set(key, await buffer(request))
      return void response.writeHead(200, { etag: '"1"' }).end()
    }
    const object = objects.get(key)
    if (!object) return void response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
    const [, from = 0, to = object.length - 1] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    response.writeHead(206).end(object.subarray(Number(from), Number(to) + 1))
  }

  return { url, objects, sent, stop }
}
