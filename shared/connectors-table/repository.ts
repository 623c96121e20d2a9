/**
 * Stores connectors and accepted domains. A writer puts its item under a condition on that item and then increments the
 * version of the table. A reader reads that version consistently before a decision, and loads the connectors again when
 * the version has changed. So a final decision that begins after a write was confirmed never uses an older connector.
 */
import { isDeepStrictEqual } from 'node:util'
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { ulid } from 'ulid'
import { comparableName } from '../connectors/comparable-name.ts'
import {
  type AcceptedDomain,
  AcceptedDomainInput,
  type InboundConnector,
  type InboundConnectorInput,
  type OutboundConnector,
  type OutboundConnectorInput,
  type RecipientList,
} from '../connectors/schema.ts'
import type { OutboundValidation } from '../connectors/validation.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { type ConnectorSet, compileSnapshot, type Snapshot } from '../policy/snapshot.ts'
import { ConnectorsTable, type ItemKind, withoutKeys } from './connectors-table.ts'
import { NameReservations } from './name-reservations.ts'
import { RecipientLists } from './recipient-lists.ts'

/**
 * The result of a write. `value.version` counts the writes of the item and is its entity tag; the version of the table
 * is another number.
 */
export type SaveResult<T> =
  | { kind: 'Saved'; value: T }
  | { kind: 'NotFound' }
  /** The item has another version than the writer expected. */
  | { kind: 'VersionMismatch' }
  /** Another connector of the kind has the name. */
  | { kind: 'NameTaken' }
  /** The item exceeds the maximum size of a table item. */
  | { kind: 'TooLarge' }

export type RemoveResult = { kind: 'Removed' } | { kind: 'NotFound' } | { kind: 'VersionMismatch' }

/** The versions that a writer may replace; `any` accepts every version. */
export type ExpectedVersions = readonly number[] | 'any'

/** Octets of JSON. DynamoDB allows 400 KB per item, in a format that is smaller than JSON. */
const maxItemOctets = 390_000

const isNew = 'attribute_not_exists(pk)'
const isAtVersion = '#version = :expected'

interface ServerFields {
  version: number
  createdAt: string
  updatedAt: string
}

/** Items of one kind by sort key, with optimistic concurrency. */
class VersionedItems<T extends ServerFields> {
  readonly #table: ConnectorsTable
  readonly #kind: ItemKind
  readonly #now: () => number

  constructor(table: ConnectorsTable, kind: ItemKind, now: () => number) {
    this.#table = table
    this.#kind = kind
    this.#now = now
  }

  async get(key: string): Promise<T | null> {
    const item = await this.#table.get(this.#kind, key)
    return item ? withoutKeys<T>(item) : null
  }

  /** @returns `VersionMismatch` when the item exists */
  async insert(key: string, fields: Omit<T, keyof ServerFields>): Promise<SaveResult<T>> {
    const at = new Date(this.#now()).toISOString()
    return this.#put(key, { ...fields, createdAt: at, updatedAt: at, version: 1 } as T, null)
  }

  async replace(key: string, fields: Omit<T, keyof ServerFields>, current: T): Promise<SaveResult<T>> {
    const updatedAt = new Date(this.#now()).toISOString()
    const value = { ...fields, createdAt: current.createdAt, updatedAt, version: current.version + 1 } as T
    return this.#put(key, value, current.version)
  }

  async remove(
    key: string,
    expected: ExpectedVersions,
  ): Promise<{ removed: RemoveResult; previous: T | null }> {
    const previous = await this.get(key)
    if (!previous) return { removed: { kind: 'NotFound' }, previous }
    if (!isExpected(previous, expected)) return { removed: { kind: 'VersionMismatch' }, previous }
    const isWritten = await unlessConditionFails(
      this.#table.documents.send(
        new DeleteCommand({
          TableName: this.#table.name,
          Key: { pk: this.#kind, sk: key },
          ...onlyAtVersion(previous.version),
        }),
      ),
    )
    if (!isWritten) return { removed: { kind: 'VersionMismatch' }, previous }
    await this.#table.bumpVersion()
    return { removed: { kind: 'Removed' }, previous }
  }

  page(after: string | null, limit: number) {
    return this.#table.page<T>(this.#kind, after, limit)
  }

  async #put(key: string, value: T, current: number | null): Promise<SaveResult<T>> {
    if (Buffer.byteLength(JSON.stringify(value)) > maxItemOctets) return { kind: 'TooLarge' }
    const isWritten = await unlessConditionFails(
      this.#table.documents.send(
        new PutCommand({
          TableName: this.#table.name,
          Item: { pk: this.#kind, sk: key, ...value },
          ...(current === null ? { ConditionExpression: isNew } : onlyAtVersion(current)),
        }),
      ),
    )
    if (!isWritten) return { kind: 'VersionMismatch' }
    await this.#table.bumpVersion()
    return { kind: 'Saved', value }
  }
}

const onlyAtVersion = (current: number) => ({
  ConditionExpression: isAtVersion,
  ExpressionAttributeNames: { '#version': 'version' },
  ExpressionAttributeValues: { ':expected': current },
})

const isExpected = ({ version }: ServerFields, expected: ExpectedVersions): boolean =>
  expected === 'any' || expected.includes(version)

const hasFields = (current: object, input: object): boolean =>
  isDeepStrictEqual({ ...current, ...input }, current)

interface NamedItem extends ServerFields {
  id: string
  name: string
}

/** Connectors of one direction. `serverFields` are fields that every written connector gets. */
export class Connectors<T extends NamedItem, Input extends { name: string }> {
  readonly #items: VersionedItems<T>
  readonly #names: NameReservations
  readonly #serverFields: object

  constructor(table: ConnectorsTable, kind: ItemKind, now: () => number, serverFields: object) {
    this.#items = new VersionedItems(table, kind, now)
    this.#names = new NameReservations(table, kind, now)
    this.#serverFields = serverFields
  }

  get(id: string): Promise<T | null> {
    return this.#items.get(id)
  }

  page(after: string | null, limit: number) {
    return this.#items.page(after, limit)
  }

  async create(input: Input): Promise<SaveResult<T>> {
    const id = ulid()
    if (!(await this.#names.reserve(input.name, id))) return { kind: 'NameTaken' }
    const saved = await this.#items.insert(id, this.#fields(id, input))
    if (saved.kind !== 'Saved') await this.#names.release(input.name, id)
    return saved
  }

  async replace(id: string, input: Input, expected: ExpectedVersions): Promise<SaveResult<T>> {
    const current = await this.#items.get(id)
    if (!current) return { kind: 'NotFound' }
    if (!isExpected(current, expected)) return { kind: 'VersionMismatch' }
    // A write would change the version, and so the plan of another administrator, for nothing.
    if (hasFields(current, input)) return { kind: 'Saved', value: current }
    if (!(await this.#names.reserve(input.name, id))) return { kind: 'NameTaken' }
    const saved = await this.#items.replace(id, this.#fields(id, input), current)
    if (saved.kind === 'Saved') await this.#releaseUnless(current.name, input.name, id)
    return saved
  }

  async remove(id: string, expected: ExpectedVersions): Promise<RemoveResult> {
    const { removed, previous } = await this.#items.remove(id, expected)
    if (removed.kind === 'Removed' && previous) await this.#names.release(previous.name, id)
    return removed
  }

  #fields(id: string, input: Input): Omit<T, keyof ServerFields> {
    return { id, ...input, ...this.#serverFields } as unknown as Omit<T, keyof ServerFields>
  }

  async #releaseUnless(oldName: string, newName: string, id: string): Promise<void> {
    if (comparableName(oldName) !== comparableName(newName)) await this.#names.release(oldName, id)
  }
}

/** Outbound connectors. Each keeps the result of its validation until the connector is written again. */
export class OutboundConnectors extends Connectors<OutboundConnector, OutboundConnectorInput> {
  readonly #table: ConnectorsTable

  constructor(table: ConnectorsTable, now: () => number) {
    super(table, 'outbound-connector', now, { validation: null })
    this.#table = table
  }

  /**
   * Writes the result of a validation. No decision depends on that result, so the versions of the connector and of the
   * table stay the same.
   * @returns false when the connector no longer has the version that was validated
   */
  saveValidation(id: string, validation: OutboundValidation): Promise<boolean> {
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
  readonly #items: VersionedItems<AcceptedDomain>
  readonly #now: () => number

  constructor(table: ConnectorsTable, now: () => number) {
    this.#now = now
    this.#items = new VersionedItems(table, 'accepted-domain', now)
  }

  async get(domain: string): Promise<AcceptedDomain | null> {
    const item = await this.#items.get(domain)
    return item && withRecipients(item)
  }

  async page(after: string | null, limit: number) {
    const { items, last } = await this.#items.page(after, limit)
    return { items: items.map(withRecipients), last }
  }

  /** @returns `VersionMismatch` when the domain exists */
  create(domain: string, input: AcceptedDomainInput): Promise<SaveResult<AcceptedDomain>> {
    return this.#items.insert(domain, { domain, ...input })
  }

  async replace(
    domain: string,
    input: AcceptedDomainInput,
    expected: ExpectedVersions,
  ): Promise<SaveResult<AcceptedDomain>> {
    const current = await this.get(domain)
    if (!current) return { kind: 'NotFound' }
    if (!isExpected(current, expected)) return { kind: 'VersionMismatch' }
    if (hasFields(current, input)) return { kind: 'Saved', value: current }
    return this.#items.replace(domain, { ...current, ...input }, current)
  }

  /** Names the list of the domain's recipients; undefined for no list. @param current as it was read */
  setRecipientList(
    { recipientList: _previous, ...current }: AcceptedDomain,
    list: Pick<RecipientList, 'version' | 'addresses'> | undefined,
  ): Promise<SaveResult<AcceptedDomain>> {
    const recipientList = list && { ...list, updatedAt: new Date(this.#now()).toISOString() }
    return this.#items.replace(
      current.domain,
      { ...current, ...(recipientList && { recipientList }) },
      current,
    )
  }

  async remove(domain: string, expected: ExpectedVersions): Promise<RemoveResult> {
    return (await this.#items.remove(domain, expected)).removed
  }
}

/** Domains that an earlier version accepted have no `recipients`. */
const withRecipients = (domain: AcceptedDomain): AcceptedDomain => ({
  ...domain,
  recipients: domain.recipients ?? AcceptedDomainInput.shape.recipients.parse(undefined),
})

export class ConnectorRepository {
  readonly inbound: Connectors<InboundConnector, InboundConnectorInput>
  readonly outbound: OutboundConnectors
  readonly acceptedDomains: AcceptedDomains
  readonly recipientLists: RecipientLists

  readonly #table: ConnectorsTable

  /** @param now milliseconds since the epoch */
  constructor(documents: DynamoDBDocumentClient, tableName: string, now: () => number = Date.now) {
    const table = new ConnectorsTable(documents, tableName)
    this.#table = table
    this.inbound = new Connectors(table, 'inbound-connector', now, {})
    this.outbound = new OutboundConnectors(table, now)
    this.acceptedDomains = new AcceptedDomains(table, now)
    this.recipientLists = new RecipientLists(documents, tableName)
  }

  /** Counts the writes of connectors and accepted domains. */
  version(): Promise<number> {
    return this.#table.version()
  }

  /** Reads all connectors and accepted domains consistently. */
  readAll(): Promise<Omit<ConnectorSet, 'version'>> {
    return readAllConnectors(this.#table)
  }
}

async function readAllConnectors(table: ConnectorsTable): Promise<Omit<ConnectorSet, 'version'>> {
  const [inbound, outbound, acceptedDomains] = await Promise.all([
    table.all<InboundConnector>('inbound-connector'),
    table.all<OutboundConnector>('outbound-connector'),
    table.all<AcceptedDomain>('accepted-domain'),
  ])
  return { inbound, outbound, acceptedDomains }
}

/**
 * A writer may die between its write and the version's increment, so a snapshot above this age is loaded again even
 * when the version is unchanged.
 */
const maxSnapshotAgeMs = 60_000

interface SnapshotLoad {
  version: number
  snapshot: Promise<Snapshot>
  startedAt: number
}

/** Returns the current connectors, compiled for decisions. */
export class SnapshotReader {
  readonly #table: ConnectorsTable
  readonly #now: () => number
  #load: SnapshotLoad | null = null
  #versionRead: { version: Promise<number>; startedAt: number } | null = null

  /** @param now milliseconds of a monotonic clock, so that an age is never negative */
  constructor(documents: DynamoDBDocumentClient, table: string, now: () => number = () => performance.now()) {
    this.#table = new ConnectorsTable(documents, table)
    this.#now = now
  }

  /**
   * Reads the version consistently, and loads the connectors when the version has changed or the snapshot is too old;
   * callers with the same version share one load.
   * @param maxAgeMs maximum age of an earlier read of the version that may be used again. A value above 0 is for
   * decisions that evaluate-policy makes again later (the ingress). A final decision uses 0, which always reads the
   * version.
   * @throws when the version or the table cannot be read; then nothing may be decided
   */
  async current({ maxAgeMs = 0 }: { maxAgeMs?: number } = {}): Promise<Snapshot> {
    // The version is read before the load. So a write between the two causes one more load, and is not missed.
    const version = await this.#version(maxAgeMs)
    const load = this.#load
    if (load && load.version >= version && this.#now() - load.startedAt < maxSnapshotAgeMs)
      return load.snapshot
    return this.#startLoad(version).snapshot
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

  #startLoad(version: number): SnapshotLoad {
    const load: SnapshotLoad = { version, snapshot: this.#compile(version), startedAt: this.#now() }
    this.#load = load
    load.snapshot.catch(() => {
      if (this.#load === load) this.#load = null
    })
    return load
  }

  async #compile(version: number): Promise<Snapshot> {
    const { inbound, outbound, acceptedDomains } = await readAllConnectors(this.#table)
    // No decision depends on the results of validations, and they would take memory.
    const withoutValidation = outbound.map((connector) => ({ ...connector, validation: null }))
    return compileSnapshot({ version, inbound, outbound: withoutValidation, acceptedDomains })
  }
}
