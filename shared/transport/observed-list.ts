/** Reads the observed certificates. Skips expired items that DynamoDB has not deleted yet. */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import * as z from 'zod'
import type { AcceptedCertificate } from '../contract/certificate.ts'
import { queryItems } from '../dynamodb/query-items.ts'
import { Observation, ObservedKind } from '../tls/observed/observation.ts'
import { observedPartition } from './keys.ts'

/** The position after which the next page begins. */
export const ObservedPosition = z.strictObject({ kind: ObservedKind, after: z.string().min(1).max(700) })
export type ObservedPosition = z.infer<typeof ObservedPosition>

export interface ObservedPage {
  observations: Observation[]
  next: ObservedPosition | null
}

export class ObservedList {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #maxReadItems: number

  /** @param maxReadItems limits the items that are read for one page */
  constructor(documents: DynamoDBDocumentClient, table: string, maxReadItems = 1000) {
    this.#documents = documents
    this.#table = table
    this.#maxReadItems = maxReadItems
  }

  /** Yields all observations, those of the organisation's certificates first. */
  async *all(now: Date): AsyncGenerator<Observation> {
    for (const kind of ObservedKind.options)
      for await (const { observation } of this.#query(kind, { connector: null, after: null }, now))
        yield observation
  }

  /**
   * Reads a page, sorted by kind (the organisation's certificates first), then by connector and host.
   * @param connector id; null for all
   * @param from position at which the previous page ended; null for the first page
   */
  async page(
    connector: string | null,
    matches: (observation: Observation) => boolean,
    { from, limit, now }: { from: ObservedPosition | null; limit: number; now: Date },
  ): Promise<ObservedPage> {
    const observations: Observation[] = []
    const { options: kinds } = ObservedKind
    let readCount = 0
    let next: ObservedPosition | null = from
    for (const kind of kinds.slice(from === null ? 0 : kinds.indexOf(from.kind))) {
      const after = from?.kind === kind ? from.after : null
      for await (const { observation, sk } of this.#query(kind, { connector, after }, now)) {
        if (observations.length === limit || readCount >= this.#maxReadItems) return { observations, next }
        readCount += 1
        next = { kind, after: sk }
        if (matches(observation)) observations.push(observation)
      }
    }
    return { observations, next: null }
  }

  /** @returns null when no accepted certificate is recorded */
  async lastAccepted(connector: string, now: Date): Promise<AcceptedCertificate | null> {
    let last: AcceptedCertificate | null = null
    for await (const { observation } of this.#query('PartnerClient', { connector, after: null }, now)) {
      const [latest] = observation.certificates
      if (latest && (last === null || latest.lastSeen > last.lastSeen)) last = toAcceptedCertificate(latest)
    }
    return last
  }

  async *#query(
    kind: ObservedKind,
    { connector, after }: { connector: string | null; after: string | null },
    now: Date,
  ): AsyncGenerator<{ observation: Observation; sk: string }> {
    const pk = observedPartition(kind)
    const items = queryItems<{ sk: string; expiresAt: number }>(this.#documents, {
      TableName: this.#table,
      ConsistentRead: true,
      KeyConditionExpression: connector === null ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :connector)',
      ExpressionAttributeValues: { ':pk': pk, ...(connector !== null && { ':connector': `${connector}#` }) },
      ExclusiveStartKey: after === null ? undefined : { pk, sk: after },
    })
    for await (const item of items)
      if (item.expiresAt * 1000 > now.getTime())
        yield { observation: Observation.strip().parse(item), sk: item.sk }
  }
}

function toAcceptedCertificate({
  subject,
  issuer,
  subjectAltNames,
  serial,
  fingerprint256,
  notBefore,
  notAfter,
  keyType,
  publicKeyFingerprint256,
  lastSeen,
}: AcceptedCertificate): AcceptedCertificate {
  const summary = { subject, issuer, subjectAltNames, serial, fingerprint256, notBefore, notAfter }
  return { ...summary, keyType, publicKeyFingerprint256, lastSeen }
}
