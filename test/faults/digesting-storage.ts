/**
 * Simulates S3, SQS and DynamoDB as far as the ingress uses them, for more mail than fits into memory. It keeps only
 * the digests of a large object, and computes them while the octets arrive.
 */
import { createHash, type Hash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { EvaluationJob } from '../../shared/contract/jobs.ts'
import {
  acceptedEntry,
  connectorsAnswer,
  isEventsQueue,
  operationOf,
  type SqsEntry,
} from '../support/aws-answers.ts'
import { listen } from '../support/listen.ts'

/**
 * The text with which the sent content begins. The octets from here on have a separate digest, because the Received
 * field that the ingress adds before them varies.
 */
const marker = Buffer.from('Subject: ')
const maxBeginningOctets = 64 * 1024

/**
 * A stored object. It keeps all octets of a segment, because each message is a range of them. It keeps only the digests
 * of a large message.
 */
export class StoredObject {
  readonly #complete: Hash = createHash('sha256')
  readonly #afterMarker: Hash = createHash('sha256')
  readonly #keepsAll: boolean
  #beginning = Buffer.alloc(0)
  #isAfterMarker = false
  length = 0
  digests: { whole: string; afterMarker: string } | null = null

  constructor(keepsAll: boolean) {
    this.#keepsAll = keepsAll
  }

  /** The octets of a segment. */
  get octets(): Buffer {
    return this.#beginning
  }

  add(octets: Buffer): void {
    this.length += octets.length
    this.#complete.update(octets)
    if (this.#keepsAll) this.#beginning = Buffer.concat([this.#beginning, octets])
    else if (this.#isAfterMarker) this.#afterMarker.update(octets)
    else this.#search(octets)
  }

  finish(): void {
    this.digests = { whole: this.#complete.digest('hex'), afterMarker: this.#afterMarker.digest('hex') }
  }

  #search(octets: Buffer): void {
    this.#beginning = Buffer.concat([this.#beginning, octets])
    const at = this.#beginning.indexOf(marker)
    if (at < 0 && this.#beginning.length < maxBeginningOctets) return
    this.#isAfterMarker = true
    this.#afterMarker.update(this.#beginning.subarray(Math.max(at, 0)))
    this.#beginning = Buffer.alloc(0)
  }
}

export class DigestingStorage {
  readonly objects = new Map<string, StoredObject>()
  readonly jobs: EvaluationJob[] = []
  readonly #uploads = new Map<string, StoredObject>()
  endpoint = ''
  stop = async () => {}

  static async start(): Promise<DigestingStorage> {
    const storage = new DigestingStorage()
    const server = createServer((request, response) => void storage.#answer(request, response))
    server.keepAliveTimeout = 60_000
    const { url, stop } = await listen(server)
    return Object.assign(storage, { endpoint: url, stop })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = operationOf(request)
    try {
      response.end(
        operation ? this.#json(operation, await buffer(request)) : await this.#s3(request, response),
      )
    } catch (error) {
      response.statusCode = 500
      response.end(String(error))
    }
  }

  async #s3(request: IncomingMessage, response: ServerResponse): Promise<string> {
    const url = new URL(request.url ?? '', this.endpoint)
    const key = url.pathname.split('/').slice(2).join('/')
    const upload = url.searchParams.get('uploadId')
    response.setHeader('etag', '"etag"')
    if (request.method === 'POST') {
      await buffer(request)
      if (upload === null) return this.#begin(key)
      const stored = this.#uploads.get(upload)
      if (!stored) throw new Error('NoSuchUpload')
      this.#uploads.delete(upload)
      this.#keep(key, stored)
      return `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`
    }
    if (request.method === 'DELETE') {
      this.#uploads.delete(upload ?? '')
      return ''
    }
    const stored = upload === null ? new StoredObject(key.startsWith('segments/')) : this.#uploads.get(upload)
    if (!stored) throw new Error('NoSuchUpload')
    for await (const chunk of request) stored.add(chunk as Buffer)
    if (upload === null) this.#keep(key, stored)
    return ''
  }

  #begin(key: string): string {
    this.#uploads.set(key, new StoredObject(false))
    const result = `<Key>${key}</Key><UploadId>${key}</UploadId>`
    return `<InitiateMultipartUploadResult>${result}</InitiateMultipartUploadResult>`
  }

  #keep(key: string, stored: StoredObject): void {
    stored.finish()
    this.objects.set(key, stored)
  }

  #json(operation: string, body: Buffer): string {
    const parsed = JSON.parse(body.toString())
    if (operation !== 'SendMessageBatch') return JSON.stringify(connectorsAnswer(operation, parsed))
    const entries: SqsEntry[] = parsed.Entries
    if (!isEventsQueue(parsed.QueueUrl))
      for (const { MessageBody } of entries) this.jobs.push(EvaluationJob.parse(JSON.parse(MessageBody)))
    return JSON.stringify({ Successful: entries.map((entry) => acceptedEntry(entry)), Failed: [] })
  }
}
