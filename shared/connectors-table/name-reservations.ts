/**
 * Keeps names of connectors unique in each direction, ignoring letter case. An item reserves a name before a connector
 * with that name is written, so only one of two concurrent writers gets the name. If the writer dies, the reservation
 * stays although its connector does not have the name. Another connector may take such an abandoned name one minute
 * after the reservation, which is longer than any request.
 */
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { comparableName } from '../connectors/comparable-name.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import type { ItemKind } from './change-log.ts'
import type { ConnectorsTable } from './connectors-table.ts'

const abandonedAfterMs = 60_000

interface Reservation {
  owner: string
  at: number
}

const isFree = 'attribute_not_exists(pk)'
const isOwnedByConnector = '#owner = :id'
const isUnchanged = '#owner = :abandonedOwner AND #at = :abandonedAt'

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
    const reservation = (await this.#table.get(this.#pk, comparableName(name))) as Reservation | undefined
    if (!reservation) return this.reserve(name, id)
    if (this.#now() - reservation.at < abandonedAfterMs || (await this.#hasName(reservation.owner, name)))
      return false
    return this.#put(name, id, {
      // The SDK repeats a write whose response was lost, and finds its own reservation.
      condition: `(${isUnchanged}) OR ${isOwnedByConnector}`,
      names: { '#owner': 'owner', '#at': 'at' },
      values: { ':abandonedOwner': reservation.owner, ':abandonedAt': reservation.at, ':id': id },
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
