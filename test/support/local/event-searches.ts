/** Athena of the local runner, with the table and the workgroup of the synthesised stack. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { AthenaClient } from '@aws-sdk/client-athena'
import { type AthenaDefinitions, readAthenaDefinitions } from '../../../infra/local/aws/athena-tables.ts'
import { type Emulators, startEmulators } from '../../../infra/local/aws/emulators.ts'
import { Resolver, resourcesOfType, type Template } from '../../../infra/local/template.ts'
import { parquetKey } from '../../../shared/events/event-keys.ts'
import { EventSearch, type SearchPage, type SearchStatus } from '../../../shared/events/event-search.ts'
import { parquetFile } from '../../../shared/events/parquet-file.ts'
import { assemble } from '../synthesis.ts'

export const workgroup = 'Mailflow-searches'
export const database = 'mailflow_events'
/** The bucket of events. */
export const bucket = 'events-bucket'

/** The definitions of the stack's template. */
export function stackDefinitions(): AthenaDefinitions {
  const template = assemble().getStackByName('Mailflow').template as Template
  const resolver = new Resolver(template)
  for (const [id] of resourcesOfType(template, 'AWS::S3::Bucket'))
    resolver.register(id, { Ref: id.startsWith('EventsBucket') ? bucket : id, Arn: id })
  return readAthenaDefinitions(template, resolver)
}

export class EventSearches {
  readonly emulators: Emulators
  readonly athena: AthenaClient
  readonly search: EventSearch

  private constructor(emulators: Emulators) {
    this.emulators = emulators
    this.athena = new AthenaClient({
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      endpoint: emulators.endpoints.athena,
      maxAttempts: 1,
    })
    this.search = new EventSearch(this.athena, { workgroup, database })
  }

  static async start(): Promise<EventSearches> {
    const emulators = await startEmulators(null)
    emulators.objects.createBucket(bucket)
    emulators.setAthenaDefinitions(stackDefinitions())
    return new EventSearches(emulators)
  }

  /**
   * Stores a Parquet file of events.
   * @returns its size in octets
   */
  store(hour: string, events: Iterable<Record<string, unknown>>, recorded = hour): number {
    const key = parquetKey(hour, { shard: 0, shards: 1 }, recorded)
    const file = Buffer.from(parquetFile(events))
    this.emulators.objects.putObject(bucket, key, file)
    return file.length
  }

  /** Waits until a search has ended. */
  async end(id: string): Promise<SearchStatus> {
    for (;;) {
      const status = await this.search.status(id)
      if (status === null) throw new Error(`no search ${id}`)
      if (status.state !== 'Running') return status
      await delay(10)
    }
  }

  /**
   * Runs a search, and reads its first page.
   * @throws Error with the reason if the search fails
   */
  async run(sql: string): Promise<SearchPage & { id: string; status: SearchStatus }> {
    const id = await this.search.start(sql, randomUUID())
    const status = await this.end(id)
    if (status.state !== 'Succeeded') throw new Error(status.reason ?? status.state)
    return { ...(await this.search.page(id, null)), id, status }
  }

  /** Returns the object with the result of a search. */
  resultOf({ resultKey }: SearchStatus): string {
    return this.emulators.objects.getObject(bucket, resultKey).body.toString()
  }

  async close(): Promise<void> {
    this.athena.destroy()
    await this.emulators.close()
  }
}
