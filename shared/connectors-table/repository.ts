/**
 * Stores connectors and accepted domains. A write, its change in the log and the version of the table are one
 * transaction, under a condition on the written item.
 */
import { isDeepStrictEqual } from 'node:util'
import { TransactionConflictException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
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
import type { ExpectedVersions } from '../contract/expected-versions.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import type { ConnectorSet } from '../policy/snapshot.ts'
import { ChangeLog, type ItemKind } from './change-log.ts'
import { commitChange, type NewChange } from './commit-change.ts'
import { ConnectorsTable, withoutKeys } from './connectors-table.ts'
import { NameReservations } from './name-reservations.ts'
import { RecipientLists } from './recipient-lists.ts'
import { readTableVersion } from './version.ts'

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

/** What a write would store. Nothing is written. */
export type PreviewResult<T> = { kind: 'Previewed'; value: T } | { kind: 'NotFound' } | { kind: 'TooLarge' }

export type RemoveResult = { kind: 'Removed' } | { kind: 'NotFound' } | { kind: 'VersionMismatch' }

/** Octets of JSON. DynamoDB allows 400 KB per item, in a format that is smaller than JSON. */
const maxItemOctets = 390_000

const isNew = 'attribute_not_exists(pk)'
const isAtVersion = '#version = :expected'

interface ServerFields {
  version: number
  createdAt: string
  updatedAt: string
  /** Domains have none. */
  name?: string
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
  async insert(key: string, fields: Omit<T, keyof ServerFields>, actor: string): Promise<SaveResult<T>> {
    return this.#put(key, fields, null, actor)
  }

  /** @param current as it is stored */
  async replace(
    key: string,
    fields: Omit<T, keyof ServerFields>,
    current: T,
    actor: string,
  ): Promise<SaveResult<T>> {
    return this.#put(key, fields, current, actor)
  }

  /** Returns the item as a write would store it. @param current as it is stored; null for a new item */
  preview(
    fields: Omit<T, keyof ServerFields>,
    current: T | null,
  ): Exclude<PreviewResult<T>, { kind: 'NotFound' }> {
    const updatedAt = new Date(this.#now()).toISOString()
    const createdAt = current?.createdAt ?? updatedAt
    const value = { ...fields, createdAt, updatedAt, version: (current?.version ?? 0) + 1 } as T
    const isTooLarge = Buffer.byteLength(JSON.stringify(value)) > maxItemOctets
    return isTooLarge ? { kind: 'TooLarge' } : { kind: 'Previewed', value }
  }

  async remove(
    key: string,
    expected: ExpectedVersions,
    actor: string,
  ): Promise<{ removed: RemoveResult; previous: T | null }> {
    const previous = await this.get(key)
    if (!previous) return { removed: { kind: 'NotFound' }, previous }
    if (!isExpected(previous, expected)) return { removed: { kind: 'VersionMismatch' }, previous }
    const isRemoved = await this.#commit(key, { before: previous, after: null, actor })
    return { removed: { kind: isRemoved ? 'Removed' : 'VersionMismatch' }, previous }
  }

  page(after: string | null, limit: number) {
    return this.#table.page<T>(this.#kind, after, limit)
  }

  async #put(
    key: string,
    fields: Omit<T, keyof ServerFields>,
    current: T | null,
    actor: string,
  ): Promise<SaveResult<T>> {
    const preview = this.preview(fields, current)
    if (preview.kind === 'TooLarge') return preview
    const { value } = preview
    const isWritten = await this.#commit(key, { before: current, after: value, actor })
    return isWritten ? { kind: 'Saved', value } : { kind: 'VersionMismatch' }
  }

  #commit(
    key: string,
    { before, after, actor }: { before: T | null; after: T | null; actor: string },
  ): Promise<boolean> {
    const change: NewChange = {
      kind: this.#kind,
      key,
      name: (after ?? before)?.name ?? key,
      actor,
      before: before as Record<string, unknown> | null,
      after: after as Record<string, unknown> | null,
      condition: before === null ? { ConditionExpression: isNew } : onlyAtVersion(before.version),
    }
    return commitChange(this.#table.documents, this.#table.name, change, this.#now)
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

/**
 * Connectors of one direction. `serverFields` are fields that every written connector gets. `actor` is the IAM principal
 * or the subject of the token that writes.
 */
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

  /** Returns the connector as a write would store it. @param id of the connector that it would replace; null: none */
  async preview(input: Input, id: string | null): Promise<PreviewResult<T>> {
    const current = id === null ? null : await this.#items.get(id)
    if (id !== null && !current) return { kind: 'NotFound' }
    return this.#items.preview(this.#fields(id ?? ulid(), input), current)
  }

  async create(input: Input, actor: string): Promise<SaveResult<T>> {
    const id = ulid()
    if (!(await this.#names.reserve(input.name, id))) return { kind: 'NameTaken' }
    const saved = await this.#items.insert(id, this.#fields(id, input), actor)
    if (saved.kind !== 'Saved') await this.#names.release(input.name, id)
    return saved
  }

  async replace(id: string, input: Input, expected: ExpectedVersions, actor: string): Promise<SaveResult<T>> {
    const current = await this.#items.get(id)
    if (!current) return { kind: 'NotFound' }
    if (!isExpected(current, expected)) return { kind: 'VersionMismatch' }
    // A write would change the version, and so the plan of another administrator, for nothing.
    if (hasFields(current, input)) return { kind: 'Saved', value: current }
    if (!(await this.#names.reserve(input.name, id))) return { kind: 'NameTaken' }
    const saved = await this.#items.replace(id, this.#fields(id, input), current, actor)
    if (saved.kind === 'Saved') await this.#releaseUnless(current.name, input.name, id)
    return saved
  }

  async remove(id: string, expected: ExpectedVersions, actor: string): Promise<RemoveResult> {
    const { removed, previous } = await this.#items.remove(id, expected, actor)
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
   * @returns false when the connector no longer has the version that was validated, or is being changed
   */
  async saveValidation(id: string, validation: OutboundValidation): Promise<boolean> {
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
    ).catch((error) => {
      if (error instanceof TransactionConflictException) return false
      throw error
    })
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
  create(domain: string, input: AcceptedDomainInput, actor: string): Promise<SaveResult<AcceptedDomain>> {
    return this.#items.insert(domain, { domain, ...input }, actor)
  }

  async replace(
    domain: string,
    input: AcceptedDomainInput,
    expected: ExpectedVersions,
    actor: string,
  ): Promise<SaveResult<AcceptedDomain>> {
    const current = await this.get(domain)
    if (!current) return { kind: 'NotFound' }
    if (!isExpected(current, expected)) return { kind: 'VersionMismatch' }
    if (hasFields(current, input)) return { kind: 'Saved', value: current }
    return this.#items.replace(domain, { ...current, ...input }, current, actor)
  }

  /** Names the list of the domain's recipients; undefined for no list. @param current as it was read */
  setRecipientList(
    current: AcceptedDomain,
    list: Pick<RecipientList, 'version' | 'addresses'> | undefined,
    actor: string,
  ): Promise<SaveResult<AcceptedDomain>> {
    const { recipientList: _previous, ...fields } = current
    const recipientList = list && { ...list, updatedAt: new Date(this.#now()).toISOString() }
    return this.#items.replace(
      current.domain,
      { ...fields, ...(recipientList && { recipientList }) },
      current,
      actor,
    )
  }

  async remove(domain: string, expected: ExpectedVersions, actor: string): Promise<RemoveResult> {
    return (await this.#items.remove(domain, expected, actor)).removed
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
  readonly changes: ChangeLog

  readonly #table: ConnectorsTable

  /** @param now milliseconds since the epoch */
  constructor(documents: DynamoDBDocumentClient, tableName: string, now: () => number = Date.now) {
    const table = new ConnectorsTable(documents, tableName)
    this.#table = table
    this.inbound = new Connectors(table, 'inbound-connector', now, {})
    this.outbound = new OutboundConnectors(table, now)
    this.acceptedDomains = new AcceptedDomains(table, now)
    this.recipientLists = new RecipientLists(documents, tableName)
    this.changes = new ChangeLog(documents, tableName)
  }

  /** Counts the writes of connectors and accepted domains. */
  async version(): Promise<number> {
    return (await readTableVersion(this.#table.documents, this.#table.name)).version
  }

  /** Reads all connectors and accepted domains consistently. */
  readAll(): Promise<Omit<ConnectorSet, 'version'>> {
    return this.#table.readAll()
  }
}
