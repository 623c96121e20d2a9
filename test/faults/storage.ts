/**
 * Simulates S3, SQS and DynamoDB as far as the ingress uses them, and keeps the received data. A plan decides which
 * request fails, and how.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import {
  acceptedEntry,
  connectorsAnswer,
  isEventsQueue,
  operationOf,
  type SqsEntry,
} from '../support/aws-answers.ts'
import { listen } from '../support/listen.ts'
import { type Fault, type FaultPlan, faultsAfterExecution, type PlannedFault, type Service } from './plan.ts'
import type { StoredData, StoredJob } from './stored-data.ts'

interface Answer {
  status: number
  headers: Record<string, string>
  body: string
  /** The jobs and the object that this response confirms as stored. */
  jobs: StoredJob[]
  key?: string
}

/** The ingress may have stopped waiting for a response this many milliseconds after its request arrived. */
const clientTimeoutMs = 2500

export class FaultyStorage {
  readonly storedData: StoredData
  /** Number of occurrences of each fault. */
  readonly faults = new Map<string, number>()
  /** True stops all faults. */
  isCalm = false
  endpoint = ''
  stop = async () => {}
  readonly #plan: FaultPlan

  private constructor(storedData: StoredData, plan: FaultPlan) {
    this.storedData = storedData
    this.#plan = plan
  }

  static async start(kept: StoredData, plan: FaultPlan): Promise<FaultyStorage> {
    const storage = new FaultyStorage(kept, plan)
    const server = createServer((request, response) => void storage.#handle(request, response))
    server.keepAliveTimeout = 60_000
    const { url, stop } = await listen(server)
    return Object.assign(storage, { endpoint: url, stop })
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const began = performance.now()
    const service = serviceOf(request)
    const planned = this.#plan.next(service)
    const { delayMs: delay } = planned
    const fault = this.isCalm ? 'None' : planned.fault
    if (fault !== 'None') this.#count(`${service} ${fault}`)
    // The process at the other end may be killed at any time.
    request.on('error', () => {})
    response.on('error', () => {})
    if (fault === 'Refused') return reset(request.socket)
    if (fault === 'RequestCut')
      return void request.once('data', () => reset(request.socket)).once('end', () => reset(request.socket))
    const body = await bodyOf(request)
    if (!body) return
    // S3 may begin its response with 200, and find only then that it cannot complete the upload.
    const errorStatus = service === 'S3' && request.method === 'POST' ? 200 : 500
    if (fault === 'ErrorBefore') return send(response, errorOf(service, 'InternalError', errorStatus), delay)
    if (fault === 'Throttled') return send(response, throttled(service), delay)
    const answer = this.#answer(service, request, body, { ...planned, fault })
    follow(answer.jobs, { fault, response, began })
    if (fault === 'ErrorAfter') return send(response, errorOf(service, 'InternalError'), delay)
    if (fault === 'AnswerLost') return void setTimeout(() => reset(request.socket), delay)
    if (fault === 'AnswerCut') return void setTimeout(() => cut(response, answer), delay)
    setTimeout(() => {
      if (answer.key !== undefined && !response.destroyed) this.storedData.acknowledge(answer.key)
      send(response, answer, 0)
    }, delay)
  }

  #count(name: string): void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1)
  }

  #answer(service: Service, request: IncomingMessage, body: Buffer, planned: PlannedFault): Answer {
    if (service === 'S3') return answerOf(this.#s3(request, body))
    const parsed = JSON.parse(body.toString())
    const operation = operationOf(request)
    if (operation === 'SendMessageBatch' && isEventsQueue(parsed.QueueUrl))
      return answerOf({
        Successful: parsed.Entries.map((entry: SqsEntry) => acceptedEntry(entry)),
        Failed: [],
      })
    if (operation === 'SendMessageBatch') return this.#batch(parsed.Entries, planned)
    if (operation === 'GetQueueAttributes') return answerOf({ Attributes: {} })
    return answerOf(connectorsAnswer(operation, parsed))
  }

  /** @returns the response, or only its body when it has the default status and headers */
  #s3(request: IncomingMessage, body: Buffer): string | Answer {
    const url = new URL(request.url ?? '/', 'http://s3')
    const key = url.pathname.slice(1)
    const upload = url.searchParams.get('uploadId')
    const method = request.method ?? ''
    if (!isIntact(request, body)) return errorOf('S3', 'BadDigest', 400)
    if (method === 'POST' && url.searchParams.has('uploads'))
      return `<InitiateMultipartUploadResult><UploadId>${this.storedData.begin()}</UploadId></InitiateMultipartUploadResult>`
    if (method === 'POST' && upload !== null) {
      const isDone = this.storedData.complete(key, upload, partsOf(body))
      if (!isDone) return errorOf('S3', 'NoSuchUpload', 404)
      const whole = '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>'
      return { ...answerOf(whole), key }
    }
    if (method === 'PUT' && upload !== null) {
      const tag = this.storedData.part(upload, Number(url.searchParams.get('partNumber')), body)
      return tag === null
        ? errorOf('S3', 'NoSuchUpload', 404)
        : { ...answerOf(''), headers: { etag: `"${tag}"` } }
    }
    if (method === 'DELETE' && upload !== null) this.storedData.abort(upload)
    if (method !== 'PUT') return ''
    this.storedData.put(key, body)
    return { ...answerOf(''), key }
  }

  #batch(entries: SqsEntry[], { fault, random }: PlannedFault): Answer {
    const Successful: object[] = []
    const Failed: object[] = []
    const jobs: StoredJob[] = []
    for (const entry of entries) {
      const { Id, MessageBody } = entry
      const isAffected = random.happens(0.4)
      if (fault === 'EntriesRefused' && isAffected) {
        Failed.push({ Id, Code: 'InternalError', Message: 'try again', SenderFault: random.happens(0.2) })
        continue
      }
      if (fault === 'EntriesUnnamed' && isAffected && random.happens(0.5)) continue
      const job = this.storedData.take(MessageBody)
      const isDamaged = fault === 'EntryDamaged' && isAffected
      if (isAffected && (fault === 'EntriesUnnamed' || isDamaged)) job.confirmation = { fault }
      else jobs.push(job)
      if (isAffected && fault === 'EntriesUnnamed') continue
      Successful.push(acceptedEntry(entry, isDamaged ? 'damaged' : MessageBody))
    }
    return { ...answerOf({ Successful, Failed }), jobs }
  }
}

function serviceOf({ headers }: IncomingMessage): Service {
  const target = String(headers['x-amz-target'] ?? '')
  if (target === '') return 'S3'
  return target.startsWith('AmazonSQS') ? 'SQS' : 'DynamoDB'
}

/** @returns null when the client disconnected before it sent the body */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  } catch {
    return null
  }
}

/** S3 compares the octets with the checksum in the request. */
function isIntact({ headers }: IncomingMessage, body: Buffer): boolean {
  const checksum = headers['x-amz-checksum-crc32']
  if (checksum !== undefined) {
    const octets = Buffer.alloc(4)
    octets.writeUInt32BE(crc32(body))
    if (octets.toString('base64') !== checksum) return false
  }
  const sha256 = headers['x-amz-checksum-sha256']
  return sha256 === undefined || createHash('sha256').update(body).digest('base64') === sha256
}

const partsOf = (body: Buffer): [number, string][] =>
  [...body.toString().matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => [
    Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    /<ETag>(?:"|&quot;)?([0-9a-f]+)/.exec(part)?.[1] ?? '',
  ])

const answerOf = (body: string | object): Answer =>
  typeof body === 'string'
    ? { status: 200, headers: { etag: '"stub"' }, body, jobs: [] }
    : isAnswer(body)
      ? body
      : {
          status: 200,
          headers: { 'content-type': 'application/x-amz-json-1.0' },
          body: JSON.stringify(body),
          jobs: [],
        }

const isAnswer = (body: object): body is Answer => 'status' in body && 'jobs' in body

const errorOf = (service: Service, code: string, status = 500): Answer => ({
  status,
  headers: {},
  body:
    service === 'S3'
      ? `<Error><Code>${code}</Code><Message>injected</Message></Error>`
      : JSON.stringify({ __type: code, message: 'injected' }),
  jobs: [],
})

const throttled = (service: Service): Answer =>
  service === 'S3'
    ? errorOf(service, 'SlowDown', 503)
    : errorOf(
        service,
        service === 'SQS' ? 'ThrottlingException' : 'ProvisionedThroughputExceededException',
        400,
      )

function send(response: ServerResponse, { status, headers, body }: Answer, delay: number): void {
  const respond = () => response.destroyed || response.writeHead(status, headers).end(body)
  if (delay === 0) respond()
  else setTimeout(respond, delay)
}

/** Sends half of the announced body and resets the connection. */
function cut(response: ServerResponse, { status, headers, body }: Answer): void {
  const { socket } = response
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body) + 1) })
  response.flushHeaders()
  if (body !== '') response.write(body.slice(0, body.length / 2))
  setTimeout(() => reset(socket), 5)
}

const reset = (socket: Socket | null): void => void socket?.resetAndDestroy()

/** Records for each job whether the ingress got the queue's confirmation. */
function follow(
  jobs: readonly StoredJob[],
  { fault, response, began }: { fault: Fault; response: ServerResponse; began: number },
): void {
  const confirm = (confirmation: StoredJob['confirmation']) => {
    for (const job of jobs) if (job.confirmation === 'Pending') job.confirmation = confirmation
  }
  if ((faultsAfterExecution as readonly Fault[]).includes(fault)) confirm({ fault })
  response.once('finish', () =>
    confirm(performance.now() - began > clientTimeoutMs ? { fault: 'response too late' } : 'Taken'),
  )
  response.once('close', () => {
    if (performance.now() - began > clientTimeoutMs) confirm({ fault: 'given up' })
  })
}
