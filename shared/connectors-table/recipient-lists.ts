/**
 * Stores the recipients of accepted domains. Each list is a few compressed items in a partition of its domain, so that a
 * reader of connectors does not read them. The items of a new version are written first; the domain's item then names
 * that version, in one write. So a reader finds a whole list, the old one or the new one.
 */
import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { ulid } from 'ulid'
import * as z from 'zod'
import { queryItems } from '../dynamodb/query-items.ts'

const compress = promisify(deflateRaw)
const decompress = promisify(inflateRaw)

/** Limit of a list: 100,000 local parts of 64 octets are 20 items. */
export const maxListedRecipients = 100_000

/**
 * Octets before compression. DynamoDB allows 400 KB per item
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), and DEFLATE lengthens what it
 * cannot compress by less than a thousandth.
 */
const maxPartOctets = 340_000

/** Prefix of the partition keys. */
export const recipientListPartition = 'recipients#'

const Part = z.object({ sk: z.string(), parts: z.int().positive(), content: z.instanceof(Uint8Array) })

export class RecipientLists {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Yields the local parts of a version, in the order in which they were written, some thousands at a time.
   * @throws Error when the version is not complete in the table
   */
  async *read(domain: string, version: string): AsyncGenerator<string[]> {
    const query = {
      TableName: this.#table,
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :version)',
      ExpressionAttributeValues: { ':pk': partitionOf(domain), ':version': `${version}#` },
      ConsistentRead: true,
    }
    let count = 0
    let expected = 1
    for await (const item of queryItems(this.#documents, query)) {
      const { sk, parts, content } = Part.parse(item)
      if (sk !== sortKey(version, count)) break
      count++
      expected = parts
      yield (await decompress(content)).toString().split('\n')
    }
    if (count !== expected)
      throw new Error(`the list of recipients of ${domain} has ${count} of ${expected} parts at ${version}`)
  }

  /** @returns all local parts of a version. @throws as `read` */
  async readAll(domain: string, version: string): Promise<string[]> {
    return (await Array.fromAsync(this.read(domain, version))).flat()
  }

  /**
   * Writes a list as a new version. No reader finds it before the domain's item names it.
   * @param localParts at least one
   */
  async write(domain: string, localParts: readonly string[]): Promise<string> {
    const version = ulid()
    const contents = await Promise.all(divide(localParts).map((text) => compress(text)))
    for (const [index, content] of contents.entries())
      await this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: { pk: partitionOf(domain), sk: sortKey(version, index), parts: contents.length, content },
        }),
      )
    return version
  }

  /**
   * Deletes the versions that were written before this one, those of failed writes too, except one. A version that
   * another writer writes meanwhile is later, and stays.
   * @param kept for readers that still have the domain's previous item
   */
  async removeBefore(domain: string, version: string, kept: string | null = null): Promise<void> {
    const query = {
      TableName: this.#table,
      KeyConditionExpression: 'pk = :pk AND sk < :version',
      ProjectionExpression: 'sk',
      ExpressionAttributeValues: { ':pk': partitionOf(domain), ':version': version },
    }
    const keys = await Array.fromAsync(queryItems(this.#documents, query), ({ sk }) => String(sk))
    for (const sk of keys)
      if (kept === null || !sk.startsWith(`${kept}#`))
        await this.#documents.send(
          new DeleteCommand({ TableName: this.#table, Key: { pk: partitionOf(domain), sk } }),
        )
  }
}

const partitionOf = (domain: string): string => `${recipientListPartition}${domain}`

const sortKey = (version: string, index: number): string => `${version}#${String(index).padStart(4, '0')}`

/** Divides a list into texts of at most `maxPartOctets`, with a line for each local part. */
function divide(localParts: readonly string[]): string[] {
  const texts: string[][] = [[]]
  let octets = 0
  for (const localPart of localParts) {
    const length = Buffer.byteLength(localPart) + 1
    if (octets + length > maxPartOctets) {
      texts.push([])
      octets = 0
    }
    octets += length
    texts.at(-1)?.push(localPart)
  }
  return texts.map((lines) => lines.join('\n'))
}
