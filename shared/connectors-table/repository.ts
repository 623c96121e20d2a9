/**
 * Stores connectors and accepted domains. A writer puts its item under a condition on that item and then increments
 * the version. A reader reads the version consistently before a decision, and loads again when it has changed. So a
 * decision that begins after a write was confirmed never uses an older rule.
 */
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { ulid } from 'ulid'
import { comparableName } from '../connectors/comparable-name.ts'
import type {
  AcceptedDomain,
  AcceptedDomainInput,
  InboundConnector,
  InboundConnectorInput,
  OutboundConnector,
  OutboundConnectorInput,
} from '../connectors/schema.ts'
import type { OutboundValidation } from '../connectors/validation.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { type ConnectorSet, compileSnapshot, type Snapshot } from '../policy/snapshot.ts'
import { Names } from './names.ts'
import { ConnectorsTable, type Kind, withoutKeys } from './table.ts'

/** The result of a write. `version` counts an item's writes and is its entity tag. */
export type Saved<T> =
  | { kind: 'Saved'; value: T }
  | { kind: 'NotFound' }
  /** The item has another version than the writer expected. */
  | { kind: 'VersionMismatch' }
  /** Another connector of the kind has the name. */
  | { kind: 'NameTaken' }
  /** It exceeds the size of a table item. */
  | { kind: 'TooLarge' }

export type Removed = { kind: 'Removed' } | { kind: 'NotFound' } | { kind: 'VersionMismatch' }

/** The versions that a writer may replace; `any` accepts every version. */
export type Expected = readonly number[] | 'any'

/** Octets of JSON. DynamoDB allows 400 KB an item and counts less than JSON does. */
const maxItemOctets = 390_000

const isNew = 'attribute_not_exists(pk)'
const isAtVersion = '#version = :seen'

interface Stamps {
  version: number
  createdAt: string
  updatedAt: string
}

/** Items of one kind by sort key, with optimistic concurrency. */
class Items<T extends Stamps> {
  readonly #table: ConnectorsTable
  readonly #kind: Kind
  readonly #now: () => number

  constructor(table: ConnectorsTable, kind: Kind, now: () => number) {
    this.#table = table
    this.#kind = kind
    this.#now = now
  }

  async get(key: string): Promise<T | null> {
    const item = await this.#table.get(this.#kind, key)
    return item ? withoutKeys<T>(item) : null
  }

  /** @returns `VersionMismatch` when the item exists */
  async insert(key: string, fields: Omit<T, keyof Stamps>): Promise<Saved<T>> {
    const at = new Date(this.#now()).toISOString()
    return this.#put(key, { ...fields, createdAt: at, updatedAt: at, version: 1 } as T, null)
  }

  async replace(key: string, fields: Omit<T, keyof Stamps>, seen: T): Promise<Saved<T>> {
    const updatedAt = new Date(this.#now()).toISOString()
    const value = { ...fields, createdAt: seen.createdAt, updatedAt, version: seen.version + 1 } as T
    return this.#put(key, value, seen.version)
  }

  async remove(key: string, expected: Expected): Promise<{ removed: Removed; was: T | null }> {
    const was = await this.get(key)
    if (!was) return { removed: { kind: 'NotFound' }, was }
    if (!isExpected(was, expected)) return { removed: { kind: 'VersionMismatch' }, was }
    const done = await unlessConditionFails(
      this.#table.documents.send(
        new DeleteCommand({
          TableName: this.#table.name,
          Key: { pk: this.#kind, sk: key },
          ...onlyAtVersion(was.version),
        }),
      ),
    )
    if (!done) return { removed: { kind: 'VersionMismatch' }, was }
    await this.#table.bumpVersion()
    return { removed: { kind: 'Removed' }, was }
  }

  page(after: string | null, limit: number) {
    return this.#table.page<T>(this.#kind, after, limit)
  }

  async #put(key: string, value: T, seen: number | null): Promise<Saved<T>> {
    if (Buffer.byteLength(JSON.stringify(value)) > maxItemOctets) return { kind: 'TooLarge' }
    const done = await unlessConditionFails(
      this.#table.documents.send(
        new PutCommand({
          TableName: this.#table.name,
          Item: { pk: this.#kind, sk: key, ...value },
          ...(seen === null ? { ConditionExpression: isNew } : onlyAtVersion(seen)),
        }),
      ),
    )
    if (!done) return { kind: 'VersionMismatch' }
    await this.#table.bumpVersion()
    return { kind: 'Saved', value }
  }
}

const onlyAtVersion = (seen: number) => ({
  ConditionExpression: isAtVersion,
  ExpressionAttributeNames: { '#version': 'version' },
  ExpressionAttributeValues: { ':seen': seen },
})

const isExpected = ({ version }: Stamps, expected: Expected): boolean =>
  expected === 'any' || expected.includes(version)

interface Named extends Stamps {
  id: string
  name: string
}

/** Connectors of one direction. `added` holds the fields that the server sets. */
export class Connectors<T extends Named, Input extends { name: string }> {
  readonly #items: Items<T>
  readonly #names: Names
  readonly #added: object

  constructor(table: ConnectorsTable, kind: Kind, now: () => number, added: object) {
    this.#items = new Items(table, kind, now)
    this.#names = new Names(table, kind, now)
    this.#added = added
  }

  get(id: string): Promise<T | null> {
    return this.#items.get(id)
  }

  page(after: string | null, limit: number) {
    return this.#items.page(after, limit)
  }

  async create(input: Input): Promise<Saved<T>> {
    const id = ulid()
    if (!(await this.#names.reserve(input.name, id))) return { kind: 'NameTaken' }
    const saved = await this.#items.insert(id, this.#fields(id, input))
    if (saved.kind !== 'Saved') await this.#names.release(input.name, id)
    return saved
  }

  async replace(id: string, input: Input, expected: Expected): Promise<Saved<T>> {
    const seen = await this.#items.get(id)
    if (!seen) return { kind: 'NotFound' }
    if (!isExpected(seen, expected)) return { kind: 'VersionMismatch' }
    if (!(await this.#names.reserve(input.name, id))) return { kind: 'NameTaken' }
    const saved = await this.#items.replace(id, this.#fields(id, input), seen)
    if (saved.kind === 'Saved') await this.#releaseUnless(seen.name, input.name, id)
    return saved
  }

  async remove(id: string, expected: Expected): Promise<Removed> {
    const { removed, was } = await this.#items.remove(id, expected)
    if (removed.kind === 'Removed' && was) await this.#names.release(was.name, id)
    return removed
  }

  #fields(id: string, input: Input): Omit<T, keyof Stamps> {
    return { id, ...input, ...this.#added } as unknown as Omit<T, keyof Stamps>
  }

  async #releaseUnless(oldName: string, newName: string, id: string): Promise<void> {
    if (comparableName(oldName) !== comparableName(newName)) await this.#names.release(oldName, id)
  }
}

/** Outbound connectors. Each keeps the result of its validation until it is written again. */
export class OutboundConnectors extends Connectors<OutboundConnector, OutboundConnectorInput> {
  readonly #table: ConnectorsTable

  constructor(table: ConnectorsTable, now: () => number) {
    super(table, 'outbound-connector', now, { validation: null })
    this.#table = table
  }

  /**
   * Writes the result of a validation. No decision depends on it, so neither the connector's version nor the table's
   * changes.
   * @returns false when the connector is no longer the version that was validated
   */
  keepValidation(id: string, validation: OutboundValidation): Promise<boolean> {
    const { ExpressionAttributeNames, ExpressionAttributeValues, ...condition } = onlyAtVersion(
      validation.connectorVersion,
    )
    return unlessConditionFails(
      this.#table.documents.send(
        new UpdateCommand({
          TableName: this.#table.name,
          Key: { pk: 'outbound-connector', sk: id },
          UpdateExpression: 'SET #validation = :validation',
          ...condition,
          ExpressionAttributeNames: { ...ExpressionAttributeNames, '#validation': 'validation' },
          ExpressionAttributeValues: { ...ExpressionAttributeValues, ':validation': validation },
        }),
      ),
    )
  }
}

/** The accepted domains, in comparable form (shared/mail/domain.ts). */
export class AcceptedDomains {
  readonly #items: Items<AcceptedDomain>

  constructor(table: ConnectorsTable, now: () => number) {
    this.#items = new Items(table, 'accepted-domain', now)
  }

  get(domain: string): Promise<AcceptedDomain | null> {
    return this.#items.get(domain)
  }

  page(after: string | null, limit: number) {
    return this.#items.page(after, limit)
  }

  /** @returns `VersionMismatch` when the domain exists */
  create(domain: string, input: AcceptedDomainInput): Promise<Saved<AcceptedDomain>> {
    return this.#items.insert(domain, { domain, ...input })
  }

  async replace(
    domain: string,
    input: AcceptedDomainInput,
    expected: Expected,
  ): Promise<Saved<AcceptedDomain>> {
    const seen = await this.#items.get(domain)
    if (!seen) return { kind: 'NotFound' }
    if (!isExpected(seen, expected)) return { kind: 'VersionMismatch' }
    return this.#items.replace(domain, { domain, ...input }, seen)
  }

  async remove(domain: string, expected: Expected): Promise<Removed> {
    return (await this.#items.remove(domain, expected)).removed
  }
}

export class ConnectorRepository {
  readonly inbound: Connectors<InboundConnector, InboundConnectorInput>
  readonly outbound: OutboundConnectors
  readonly acceptedDomains: AcceptedDomains

  readonly #table: ConnectorsTable

  /** @param now ms since the epoch */
  constructor(documents: DynamoDBDocumentClient, tableName: string, now: () => number = Date.now) {
    const table = new ConnectorsTable(documents, tableName)
    this.#table = table
    this.inbound = new Connectors(table, 'inbound-connector', now, {})
    this.outbound = new OutboundConnectors(table, now)
    this.acceptedDomains = new AcceptedDomains(table, now)
  }

  /** Reads all connectors and accepted domains consistently. */
  everything(): Promise<Omit<ConnectorSet, 'version'>> {
    return readEverything(this.#table)
  }
}

async function readEverything(table: ConnectorsTable): Promise<Omit<ConnectorSet, 'version'>> {
  const [inbound, outbound, acceptedDomains] = await Promise.all([
    table.all<InboundConnector>('inbound-connector'),
    table.all<OutboundConnector>('outbound-connector'),
    table.all<AcceptedDomain>('accepted-domain'),
  ])
  return { inbound, outbound, acceptedDomains }
}

/** A writer may die between its write and the version's increment, so an older snapshot is loaded again in any case. */
const longestUseMs = 60_000

interface Load {
  version: number
  snapshot: Promise<Snapshot>
  startedAt: number
}

/** Returns the current connectors, compiled for decisions. */
export class SnapshotReader {
  readonly #table: ConnectorsTable
  readonly #now: () => number
  #load: Load | null = null
  #versionRead: { version: Promise<number>; startedAt: number } | null = null

  /** @param now ms of a monotonic clock: an age must not become negative */
  constructor(documents: DynamoDBDocumentClient, table: string, now: () => number = () => performance.now()) {
    this.#table = new ConnectorsTable(documents, table)
    this.#now = now
  }

  /**
   * Reads the version consistently and loads only when it has changed; callers with the same version share one load.
   * @param maxAgeMs accepts a version read that began at most so long ago, in ms. For decisions that are repeated later
   * (the ingress); a final decision uses 0, which always reads.
   * @throws when the version or the table cannot be read: then nothing may be decided
   */
  async current({ maxAgeMs = 0 }: { maxAgeMs?: number } = {}): Promise<Snapshot> {
    // The version is read before the load: a write in between causes one more load, never a missed one.
    const version = await this.#version(maxAgeMs)
    const load = this.#load
    if (load && load.version >= version && this.#now() - load.startedAt < longestUseMs) return load.snapshot
    return this.#begin(version).snapshot
  }

  #version(maxAgeMs: number): Promise<number> {
    const startedAt = this.#now()
    if (this.#versionRead && startedAt - this.#versionRead.startedAt < maxAgeMs)
      return this.#versionRead.version
    const read = { version: this.#table.version(), startedAt }
    this.#versionRead = read
    read.version.catch(() => {
      if (this.#versionRead === read) this.#versionRead = null
    })
    return read.version
  }

  #begin(version: number): Load {
    const load: Load = { version, snapshot: this.#compile(version), startedAt: this.#now() }
    this.#load = load
    load.snapshot.catch(() => {
      if (this.#load === load) this.#load = null
    })
    return load
  }

  async #compile(version: number): Promise<Snapshot> {
    const { inbound, outbound, acceptedDomains } = await readEverything(this.#table)
    // No decision depends on a validation's result, and many would take memory.
    const bare = outbound.map((connector) => ({ ...connector, validation: null }))
    return compileSnapshot({ version, inbound, outbound: bare, acceptedDomains })
  }
}
