/** DynamoDB tables, divided by partition key, so that the partition of a finished message can be dropped. */
import { type Command, type Item, MemoryTable } from '../../../support/pipeline/table.ts'

export class Tables {
  readonly #partitions = new Map<unknown, MemoryTable>()

  send(command: Command): unknown {
    const pk = partitionKey(command)
    const partition = this.#partitions.get(pk) ?? new MemoryTable()
    this.#partitions.set(pk, partition)
    return partition.send(command)
  }

  /** Returns the state in the trace of a message's only recipient. */
  recipientState(message: string): string | undefined {
    const query = {
      KeyConditionExpression: 'pk = :pk AND sk >= :sk',
      ExpressionAttributeValues: { ':pk': message, ':sk': 'recipient#' },
    }
    const found = this.#partitions.get(message)?.send({ constructor: { name: 'QueryCommand' }, input: query })
    const { Items: [item] = [] } = (found ?? {}) as { Items?: Item[] }
    return item?.state as string | undefined
  }

  drop(pk: string): void {
    this.#partitions.delete(pk)
  }
}

function partitionKey({ input: { Item, Key, RequestItems = {} } }: Command): unknown {
  const keys = Object.values(RequestItems).flatMap(({ Keys }) => Keys)
  return (Item ?? Key ?? keys[0])?.pk
}
