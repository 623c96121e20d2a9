/** The events bucket of a running stack: seals hours, moves and changes raw objects, reads markers and rollups. */
import { gunzipSync, gzipSync } from 'node:zlib'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { Endpoints } from '../../../infra/local/endpoints.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { DayRollups } from '../../../shared/events/day-rollups.ts'
import { hourOfRollup } from '../../../shared/events/event-keys.ts'
import { EventStore } from '../../../shared/events/event-store.ts'
import { hourOf } from '../../../shared/events/hours.ts'
import type { RollupRow } from '../../../shared/events/rollup-row.ts'
import { SealMarker } from '../../../shared/events/seal-marker.ts'

export class SealedHours {
  readonly #endpoints: Endpoints
  readonly #s3: S3Client

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints
    this.#s3 = new S3Client({
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      endpoint: endpoints.s3,
      forcePathStyle: true,
    })
  }

  /** @param request such as `{"hour":"2026-11-30T20"}` */
  async seal(request: object): Promise<SealMarker[]> {
    const { functions, lambda } = this.#endpoints
    const name = functions.find((each) => each.startsWith('SealingFunction'))
    const response = await fetch(`${lambda}/2015-03-31/functions/${name}/invocations`, {
      method: 'POST',
      body: JSON.stringify(request),
    })
    const markers = await response.json()
    return SealMarker.array().parse(markers, { error: () => JSON.stringify(markers) })
  }

  /**
   * Seals the present hour, and the hour of this time if it has ended meanwhile.
   * @param since milliseconds since the epoch, within the last hour
   * @returns the number of events of each kind
   */
  async sealSince(since: number): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const hour of new Set([hourOf(since), hourOf(Date.now())]))
      for (const { byKind } of await this.seal({ hour }))
        for (const [kind, count] of Object.entries(byKind)) counts[kind] = (counts[kind] ?? 0) + count
    return counts
  }

  /** The keys of all raw objects. */
  rawKeys(): Promise<string[]> {
    return this.#keys('raw/')
  }

  /** Moves a raw object, as if record-events had stored it in a later hour. */
  async moveRaw(key: string, hour: string): Promise<void> {
    await this.#put(key.replace(/recorded=[^/]+/, `recorded=${hour}`), await this.#get(key))
    await this.#s3.send(new DeleteObjectCommand({ Bucket: this.#endpoints.eventsBucket, Key: key }))
  }

  /** Deletes the first event of a kind, with its copies, from the raw objects. @returns the deleted event */
  async loseEvent(kind: string): Promise<MailEvent> {
    let lost: MailEvent | undefined
    for (const key of await this.rawKeys()) {
      const lines = gunzipSync(await this.#get(key))
        .toString()
        .split('\n')
        .filter(Boolean)
      const events = lines.map((line) => JSON.parse(line) as MailEvent)
      lost ??= events.find((event) => event.kind === kind)
      const kept = lines.filter((_, index) => events[index]?.id !== lost?.id)
      if (kept.length < lines.length) await this.#put(key, gzipSync(kept.map((line) => `${line}\n`).join('')))
    }
    if (lost === undefined) throw new Error(`no event ${kind} was recorded`)
    return lost
  }

  /** The counts of all days, as reports read them. */
  async rows(): Promise<RollupRow[]> {
    const keys = await this.#keys('rollups/')
    const dates = new Set(keys.flatMap((key) => hourOfRollup(key)?.slice(0, 10) ?? []))
    const days = new DayRollups(new EventStore(this.#s3, this.#endpoints.eventsBucket))
    const rows = await Promise.all([...dates].map((date) => days.read(date, 'all hours')))
    return rows.flat()
  }

  async #keys(prefix: string): Promise<string[]> {
    const keys: string[] = []
    let token: string | undefined
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({
          Bucket: this.#endpoints.eventsBucket,
          Prefix: prefix,
          ContinuationToken: token,
        }),
      )
      keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
      token = page.NextContinuationToken
    } while (token !== undefined)
    return keys
  }

  async #get(key: string): Promise<Uint8Array> {
    const { Body } = await this.#s3.send(
      new GetObjectCommand({ Bucket: this.#endpoints.eventsBucket, Key: key }),
    )
    return (await Body?.transformToByteArray()) ?? new Uint8Array()
  }

  async #put(key: string, body: Uint8Array): Promise<void> {
    await this.#s3.send(new PutObjectCommand({ Bucket: this.#endpoints.eventsBucket, Key: key, Body: body }))
  }
}
