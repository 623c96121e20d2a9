/**
 * Keeps names of connectors unique in each direction, ignoring letter case. An item reserves a name before a connector
 * takes it, so only one of two concurrent writers gets it. A reservation whose owner does not have the name was left by
 * a writer that died. After a minute, longer than any request takes, another connector may take it.
 */
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { comparableName } from '../connectors/comparable-name.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import type { ConnectorsTable, ItemKind } from './connectors-table.ts'

const abandonedAfterMs = 60_000

interface Reservation {
  owner: string
  at: number
}

const isFree = 'attribute_not_exists(pk)'
const isOwnedByConnector = '#owner = :id'
const isUnchanged = '#owner = :leftOver AND #at = :since'

export class NameReservations {
  readonly #table: ConnectorsTable
  readonly #kind: ItemKind
  readonly #pk: string
  readonly #now: () => number

  constructor(table: ConnectorsTable, kind: ItemKind, now: () => number) {
    this.#table = table
    this.#kind = kind
    this.#pk = `${kind}-name`
    this.#now = now
  }

  /** @returns whether the connector `id` may have the name */
  async reserve(name: string, id: string): Promise<boolean> {
    const write = {
      condition: `${isFree} OR ${isOwnedByConnector}`,
      names: { '#owner': 'owner' },
      values: { ':id': id },
    }
    return (await this.#put(name, id, write)) || this.#takeAbandoned(name, id)
  }

  /** Deletes the reservation if the connector `id` holds it. */
  async release(name: string, id: string): Promise<void> {
    await unlessConditionFails(
      this.#table.documents.send(
        new DeleteCommand({
          TableName: this.#table.name,
          Key: { pk: this.#pk, sk: comparableName(name) },
          ConditionExpression: isOwnedByConnector,
          ExpressionAttributeNames: { '#owner': 'owner' },
          ExpressionAttributeValues: { ':id': id },
        }),
      ),
    )
  }

  async #takeAbandoned(name: string, id: string): Promise<boolean> {
    const found = (await this.#table.get(this.#pk, comparableName(name))) as Reservation | undefined
    if (!found) return this.reserve(name, id)
    if (this.#now() - found.at < abandonedAfterMs || (await this.#hasName(found.owner, name))) return false
    return this.#put(name, id, {
      condition: isUnchanged,
      names: { '#owner': 'owner', '#at': 'at' },
      values: { ':leftOver': found.owner, ':since': found.at },
    })
  }

  async #hasName(owner: string, name: string): Promise<boolean> {
    const connector = await this.#table.get(this.#kind, owner)
    return connector !== undefined && comparableName(String(connector.name)) === comparableName(name)
  }

  #put(
    name: string,
    owner: string,
    {
      condition,
      names,
      values,
    }: { condition: string; names: Record<string, string>; values: Record<string, unknown> },
  ): Promise<boolean> {
    return unlessConditionFails(
      this.#table.documents.send(
        new PutCommand({
          TableName: this.#table.name,
          Item: { pk: this.#pk, sk: comparableName(name), owner, at: this.#now() },
          ConditionExpression: condition,
          ExpressionAttributeNames: names,
          ExpressionAttributeValues: values,
        }),
      ),
    )
  }
}
