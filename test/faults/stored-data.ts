/** The data that a storage received: objects by key, and jobs in order. */
import { createHash } from 'node:crypto'

/** The confirmation that the ingress got for a job that the queue accepted. `Pending` until the response is sent. */
export type Confirmation =
  | 'Pending'
  | 'Taken'
  /** The reason why the confirmation was lost or late: the injected fault, or a client that had disconnected. */
  | { fault: string }

export interface StoredJob {
  body: string
  /** Time of receipt in milliseconds of `performance.now`. */
  at: number
  confirmation: Confirmation
}

export class StoredData {
  readonly objects = new Map<string, Buffer>()
  readonly jobs: StoredJob[] = []
  /** Requests that no correct client sends. */
  readonly invalidRequests: string[] = []
  /** Keys of objects that S3 has confirmed to the ingress. */
  readonly #acknowledged = new Set<string>()
  readonly #uploads = new Map<string, Map<number, Buffer>>()
  #nextUpload = 1

  put(key: string, octets: Buffer): void {
    const previous = this.objects.get(key)
    if (previous && !previous.equals(octets) && !key.endsWith('/probe'))
      this.invalidRequests.push(`object ${key} was written twice, with other octets`)
    this.objects.set(key, octets)
  }

  begin(): string {
    const upload = String(this.#nextUpload++)
    this.#uploads.set(upload, new Map())
    return upload
  }

  /** @returns the part's tag, or null when there is no such upload */
  part(upload: string, number: number, octets: Buffer): string | null {
    const parts = this.#uploads.get(upload)
    if (!parts) return null
    parts.set(number, octets)
    return tagOf(octets)
  }

  /** @param namedParts the parts by number, with their tags @returns whether the object exists now */
  complete(
    key: string,
    upload: string,
    namedParts: readonly (readonly [number: number, tag: string])[],
  ): boolean {
    const parts = this.#uploads.get(upload)
    // The upload was completed and the response was lost: S3 repeats the response.
    if (!parts) return this.objects.has(key)
    const uploadedParts = namedParts.map(([number, tag]) => {
      const part = parts.get(number)
      return part && tagOf(part) === tag ? part : null
    })
    if (uploadedParts.length === 0 || uploadedParts.includes(null)) {
      this.invalidRequests.push(`upload of ${key} was completed with missing parts`)
      return false
    }
    this.put(key, Buffer.concat(uploadedParts as Buffer[]))
    this.#uploads.delete(upload)
    return true
  }

  abort(upload: string): void {
    this.#uploads.delete(upload)
  }

  /** Records that S3 now confirms this object. From now on the ingress may send a job for its content. */
  acknowledge(key: string): void {
    this.#acknowledged.add(key)
  }

  take(body: string): StoredJob {
    const { bucket, key } = JSON.parse(body).message.content
    if (!this.#acknowledged.has(`${bucket}/${key}`))
      this.invalidRequests.push(`a job came before its content was known to be stored: ${body}`)
    const job: StoredJob = { body, at: performance.now(), confirmation: 'Pending' }
    this.jobs.push(job)
    return job
  }
}

const tagOf = (octets: Buffer) => createHash('md5').update(octets).digest('hex')
