/** A bucket and queues in memory, without HTTP, with the test's faults. */
import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { MailEvent } from '../../shared/contract/events.ts'
import { CertificateNotice, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { OutgoingJob } from '../../shared/queues/job-queue.ts'

/** CRC-32 in S3's format: the most significant octet first. */
function checksumOf(octets: Buffer): string {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(octets))
  return checksum.toString('base64')
}

/**
 * A bucket: objects by key, and the operations in order. `before` and then `after` run before an operation takes
 * effect, and may wait or throw.
 */
export class MemoryBucket {
  readonly objects = new Map<string, Buffer>()
  readonly operations: string[] = []
  before: (operation: string) => Promise<void> = async () => {}
  after: (operation: string) => Promise<void> = async () => {}
  readonly #parts = new Map<string, Buffer[]>()
  /** Octets of the largest request body. */
  maxBodyOctets = 0

  readonly client: Pick<S3Client, 'send'> = {
    send: (async (command: { input: { Key?: string; Body?: Buffer } }) => {
      const operation = command.constructor.name.replace('Command', '')
      this.operations.push(operation)
      this.maxBodyOctets = Math.max(this.maxBodyOctets, command.input.Body?.length ?? 0)
      await this.before(operation)
      await this.after(operation)
      return this.#answer(command)
    }) as S3Client['send'],
  }

  #answer(command: unknown) {
    if (command instanceof PutObjectCommand) {
      const { Key, Body, ChecksumSHA256 } = command.input
      if (ChecksumSHA256 !== undefined && ChecksumSHA256 !== hash('sha256', Body as Buffer, 'base64'))
        throw new Error('BadDigest')
      return void this.#put(Key, Body as Buffer)
    }
    if (command instanceof CreateMultipartUploadCommand) {
      if (command.input.ChecksumAlgorithm !== 'CRC32')
        throw new Error('parts have checksums, the upload has none')
      return this.#create(command.input.Key ?? '')
    }
    if (command instanceof UploadPartCommand) {
      const { UploadId = '', PartNumber = 0, Body, ChecksumCRC32 } = command.input
      if (ChecksumCRC32 !== checksumOf(Body as Buffer)) throw new Error('BadDigest')
      // Copies the octets as a network does: the sender may use its buffer again.
      const parts = this.#parts.get(UploadId) ?? []
      parts[PartNumber - 1] = Buffer.from(Body as Buffer)
      return { ETag: `"${PartNumber}"`, ChecksumCRC32 }
    }
    if (command instanceof CompleteMultipartUploadCommand) {
      const { Key, UploadId = '', MultipartUpload } = command.input
      const parts = (MultipartUpload?.Parts ?? []).map(({ PartNumber = 0, ChecksumCRC32 }) => {
        const part = this.#parts.get(UploadId)?.[PartNumber - 1] as Buffer
        if (ChecksumCRC32 !== checksumOf(part)) throw new Error(`checksum of part ${PartNumber} missing`)
        return part
      })
      return void this.#put(Key, Buffer.concat(parts))
    }
    if (command instanceof AbortMultipartUploadCommand)
      return void this.#parts.delete(command.input.UploadId ?? '')
    if (command instanceof GetObjectCommand)
      return { Body: this.#get(command.input.Key ?? '', command.input.Range ?? '') }
    throw new Error(`unexpected ${(command as object).constructor.name}`)
  }

  #put(key: string | undefined, body: Buffer): void {
    this.objects.set(key ?? '', Buffer.from(body))
  }

  #create(key: string) {
    const UploadId = `${key}#upload`
    this.#parts.set(UploadId, [])
    return { UploadId }
  }

  #get(key: string, range: string): Readable {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? []
    const object = this.objects.get(key)
    if (!object) throw Object.assign(new Error('no such key'), { name: 'NoSuchKey' })
    return Readable.from([object.subarray(Number(from), Number(to) + 1)])
  }
}

/** A queue and the jobs it accepted. `before` may wait or throw; `refuse` selects jobs to refuse. */
export class MemoryQueue {
  readonly jobs: EvaluationJob[] = []
  calls = 0
  before: () => Promise<void> = async () => {}
  refuse: (job: EvaluationJob, call: number) => boolean = () => false
  refusal = new Error('not taken')

  async trySend(outgoing: readonly OutgoingJob<EvaluationJob>[]): Promise<(Error | null)[]> {
    const call = ++this.calls
    try {
      await this.before()
    } catch (error) {
      return outgoing.map(() => error as Error)
    }
    return outgoing.map(({ job }) => {
      if (this.refuse(job, call)) return this.refusal
      this.jobs.push(EvaluationJob.parse(JSON.parse(JSON.stringify(job))))
      return null
    })
  }
}

/** A queue and the events it accepted. `before` may wait or throw. */
export class MemoryEvents {
  readonly taken: MailEvent[] = []
  before: () => Promise<void> = async () => {}

  async send(events: readonly MailEvent[]): Promise<void> {
    await this.before()
    for (const event of events) this.taken.push(MailEvent.parse(JSON.parse(JSON.stringify(event))))
  }
}

/** A queue and the notices it accepted. `before` may wait or throw. */
export class MemoryNotices {
  readonly taken: CertificateNotice[] = []
  before: () => Promise<void> = async () => {}

  async trySend(outgoing: readonly OutgoingJob<CertificateNotice>[]): Promise<(Error | null)[]> {
    try {
      await this.before()
    } catch (error) {
      return outgoing.map(() => error as Error)
    }
    for (const { job } of outgoing) this.taken.push(CertificateNotice.parse(JSON.parse(JSON.stringify(job))))
    return outgoing.map(() => null)
  }
}
