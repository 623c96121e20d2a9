/**
 * Erases an address from the trace of one message, and the message's content. A message with a recipient that is neither
 * delivered nor bounced is not touched: nothing that was accepted may be lost.
 *
 * The content goes first, then the mark that lets late jobs end, then the items: an erasure that was interrupted finds the
 * message again by the items that are left.
 */
import { hourMs } from '../../shared/contract/durations.ts'
import type { ContentReference } from '../../shared/contract/message.ts'
import type { ErasedAddress } from '../../shared/mail/erased-address.ts'
import type { MessageItem } from '../../shared/messages/message-item.ts'
import { erasedKey, isRecipientKey, messageKey } from '../../shared/messages/message-keys.ts'
import { unpackDetail } from '../../shared/messages/packed-detail.ts'
import { isSettled, type RecipientItem } from '../../shared/messages/recipient-item.ts'
import type { Item, MessagesTable } from './messages-table.ts'
import { isKeyOf, replacedAttributes } from './traced-item.ts'

export interface Dependencies {
  table: Pick<MessagesTable, 'partition' | 'put' | 'replace' | 'delete'>
  /** Deletes or overwrites a content. @returns false if there was none */
  eraseContent(content: ContentReference): Promise<boolean>
  /** Milliseconds since the epoch. */
  now(): number
}

export type ErasedMessage =
  /** `items`: number of items that were deleted or changed. `isIncomplete`: another writer changed one meanwhile. */
  | { kind: 'Erased'; items: number; contents: number; isIncomplete: boolean }
  /** The message with this id, or a DSN about it, is neither delivered nor bounced. */
  | { kind: 'Unsettled'; id: string }

/** A deferral ends within a day. After this time each recipient has its item. */
const maxOpenMs = 25 * hourMs

/** What the item of a message says. */
interface MessageDetail {
  receivedAt: string
  envelope: { mailFrom: string }
  content: ContentReference
}

type DsnClaim = Item & { result?: { dsn?: string | null; at?: string } }

export async function eraseMessage(
  id: string,
  address: ErasedAddress,
  dependencies: Dependencies,
): Promise<ErasedMessage> {
  const { table, eraseContent, now } = dependencies
  const items = await table.partition(id)
  if (!isMessageSettled(items, now())) return { kind: 'Unsettled', id }
  const detail = detailOf(items)
  const recipients = items.filter(({ sk }) => isRecipientKey(sk))
  const isSender =
    address.isSpelled(detail?.envelope.mailFrom ?? '') ||
    recipients.some(({ sender }) => typeof sender === 'string' && address.isSpelled(sender))
  const isErased = (item: Item): boolean => isSender || isKeyOf(item, address)
  const erased = items.filter(isErased)
  const result = { kind: 'Erased' as const, items: 0, contents: 0, isIncomplete: false }
  if (erased.length > 0) {
    const dsns = await dsnsOf(erased, dependencies)
    if (dsns.kind === 'Unsettled') return dsns
    for (const content of [...dsns.contents, ...(detail === null ? [] : [detail.content])])
      if (await eraseContent(content)) result.contents += 1
    for (const each of [id, ...dsns.ids]) await table.put(markOf(each, items))
  }
  // Without a recipient the rest is of no use.
  const isWhole = recipients.length > 0 && recipients.every(isErased)
  const isRemoved = (item: Item): boolean => item.sk !== erasedKey(id).sk && (isWhole || isErased(item))
  const removed = items.filter(isRemoved)
  await table.delete(removed)
  result.items += removed.length
  for (const item of items.filter((each) => !isRemoved(each))) {
    const attributes = replacedAttributes(item, address)
    if (Object.keys(attributes).length === 0) continue
    if (await table.replace(item, attributes)) result.items += 1
    else result.isIncomplete = true
  }
  return result
}

/** The mark outlives the items that it replaces. */
function markOf(id: string, items: readonly Item[]): Item {
  const expiresAt = Math.max(...items.map((item) => Number(item.expiresAt ?? 0)))
  return { ...erasedKey(id), expiresAt }
}

const detailOf = (items: readonly Item[]): MessageDetail | null => {
  const item = items.find(({ pk, sk }) => sk === messageKey(pk).sk) as (Item & MessageItem) | undefined
  return item === undefined ? null : (unpackDetail(item.detail) as MessageDetail)
}

/** Whether each recipient is delivered or bounced. A recipient without an item was not decided yet. */
export function isMessageSettled(items: readonly Item[], now: number): boolean {
  const recipients = items.filter(({ sk }) => isRecipientKey(sk)) as unknown as RecipientItem[]
  if (!recipients.every(isSettled)) return false
  if (items.some(({ pk, sk }) => sk === erasedKey(pk).sk)) return true
  const message = items.find(({ pk, sk }) => sk === messageKey(pk).sk)
  if (message === undefined) return recipients.length > 0
  const { recipients: count } = message as Item & MessageItem
  if (count !== undefined) return recipients.length >= count
  return now - Date.parse(detailOf(items)?.receivedAt ?? '') > maxOpenMs
}

type Dsns =
  | { kind: 'Settled'; ids: string[]; contents: ContentReference[] }
  | { kind: 'Unsettled'; id: string }

/** Finds the DSNs about recipients, by their claims. */
async function dsnsOf(items: readonly Item[], { table, now }: Dependencies): Promise<Dsns> {
  const ids = new Set<string>()
  const contents: ContentReference[] = []
  for (const { pk, sk, result } of items as readonly DsnClaim[]) {
    if (!sk.startsWith('dsn#')) continue
    // A worker writes it, or has died and its job is retried.
    if (result === undefined) return { kind: 'Unsettled', id: pk }
    const dsn = result.dsn ?? null
    if (dsn === null || ids.has(dsn)) continue
    const ofDsn = await table.partition(dsn)
    // Its job waits for the evaluation, unless it is so old that the trace has expired.
    const isWaiting = ofDsn.length === 0 && now() - Date.parse(result.at ?? '') < maxOpenMs
    if (isWaiting || (ofDsn.length > 0 && !isMessageSettled(ofDsn, now())))
      return { kind: 'Unsettled', id: dsn }
    const detail = detailOf(ofDsn)
    if (detail === null) continue
    ids.add(dsn)
    contents.push(detail.content)
  }
  return { kind: 'Settled', ids: [...ids], contents }
}
