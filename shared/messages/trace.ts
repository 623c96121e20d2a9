/**
 * Writes the message trace: the history of each recipient, with reasons. `evaluate-policy` writes verdicts and the
 * results of failed attempts. `deliver-message` writes the state `Delivered` with the result of its attempt
 * (attempt-claims.ts), and `evaluate-policy` when a job reports a delivery. The API records that an administrator
 * releases, returns or drops a message. A final state is never overwritten, so a late or duplicate job cannot reopen a settled
 * recipient.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import { type Attempt, isCanary, type Message } from '../contract/message.ts'
import { getItems } from '../dynamodb/get-items.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { formatReply } from '../mail/reply.ts'
import type { Verdict, Waiver } from '../policy/evaluate.ts'
import type { Considered } from '../policy/explain/considered.ts'
import { ContentAddressedStore } from './content-addressed-store.ts'
import { searchedMessageId } from './header-message-id.ts'
import { isErased } from './is-erased.ts'
import { messageItem, SharedCertificate, sharedCertificateOf } from './message-item.ts'
import {
  attemptKey,
  erasedKey,
  indexKeys,
  isRecipientKey,
  messageKey,
  recipientKey,
  recipientOf,
  ulidTime,
} from './message-keys.ts'
import { packDetail, unpackDetail } from './packed-detail.ts'
import {
  type AdministratorRequest,
  type Hold,
  isOpen,
  isSettled,
  type RecipientDetail,
  type RecipientItem,
  type RecipientState,
  type RequestAttribute,
  type RequirementReference,
  requirementOf,
  type StoredVerdict,
  settledStates,
} from './recipient-item.ts'
import { traceExpiry } from './trace-expiry.ts'
import { connectorsOf, removalFromWaiting, waitingAttributes, waitingNames } from './waiting.ts'

/** The state after a verdict. `Delivered` comes from an attempt. */
const stateAfterVerdict = { Deliver: 'Pending', Defer: 'Deferred', Bounce: 'Bounced' } as const

/** A verdict to execute, with what the trace has of it. */
export interface ExecutedVerdict {
  verdict: Verdict
  stored: StoredVerdict
}

export interface RecordedVerdict {
  /** Null when nothing remains to be done. */
  executed: ExecutedVerdict | null
  /** The requirement that the recipient keeps after this write; null when there is none, or nothing was written. */
  requirement: RequirementReference | null
}

export interface Progress {
  /** Null before the first verdict. */
  state: RecipientState | null
  /**
   * The latest position (`jobPosition`) of a job whose follow-up jobs were sent. Empty until a second job is decided,
   * because the first job of a message is not marked.
   */
  decided: string
  requirement: RequirementReference | null
  waiver: Waiver | null
  isReturned: boolean
  isDropped: boolean
  /** The last attempt that a worker has begun; null before the first, and after a release. */
  begunAttempt: number | null
  /** Number of attempts whose outcome was decided. */
  decidedAttempts: number
}

/** Whether a worker has begun the attempt, or no attempt with this number will be made. */
export const hasBegun = (progress: Progress | undefined, attempt: number): boolean =>
  progress !== undefined &&
  (isSettled(progress) || progress.decidedAttempts >= attempt || (progress.begunAttempt ?? 0) >= attempt)

/**
 * Returns the position of a job among the jobs of its recipient, as short text that sorts. The outcome of an attempt
 * comes before the timers that follow it, and an earlier timer before a later one.
 * @param attempts number of attempts before the job
 * @param notBefore time of a timer, null for an outcome
 */
export const jobPosition = (attempts: number, notBefore: string | null): string =>
  `${String(attempts).padStart(5, '0')}#${notBefore === null ? '' : ulidTime(Date.parse(notBefore))}`

/** The time of a verdict, the connectors' version behind it, and the connectors that were evaluated. */
export interface DecisionContext {
  at: Date
  /** Whether the job is a retry. Then no other job may remain that repeats the attempt of a worker that died. */
  retry?: boolean | undefined
  connectorsVersion: number
  considered(verdict: Verdict): Considered[]
}

/** A write that creates an item without a state would make an erased recipient appear as one that waits. */
const exists = 'attribute_exists(pk)'
const hasNoLaterAttempt = 'NOT attempts > :attempts'
/** A released claim has no holder. */
const nextAttemptHasNotBegun = 'NOT (claimed > :attempts AND attribute_exists(holder))'
/** An attempt with a result has no lease. */
const nextAttemptDoesNotRun =
  'NOT (claimed > :attempts AND attribute_exists(holder) AND NOT leaseUntil < :decidedAt)'

export class Trace {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #certificates: ContentAddressedStore<SharedCertificate>

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
    this.#certificates = new ContentAddressedStore(documents, table, 'client-certificate', SharedCertificate)
  }

  /** @param recipients number of recipients of the message, if it is known */
  async recordMessage(
    message: Message,
    now: Date,
    retentionDays: number,
    recipients: number | null = null,
  ): Promise<void> {
    const certificate = sharedCertificateOf(message)
    // A certificate is stored before the item that refers to it.
    const digest =
      certificate === null ? null : await this.#certificates.store(certificate, now, retentionDays)
    const Item = {
      ...messageKey(message.id),
      ...messageItem(message, digest),
      ...(recipients !== null && { recipients }),
      expiresAt: traceExpiry(message, retentionDays),
    }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }))
  }

  /**
   * Writes the result of a failed attempt, before the verdict about it. The recipient's item has the result only until
   * the next attempt.
   * @param expiresAt seconds since the epoch
   */
  async recordAttempt(
    messageId: string,
    address: string,
    attempt: Attempt,
    expiresAt: number,
  ): Promise<void> {
    const Item = { ...attemptKey(messageId, address, attempt.number), detail: packDetail(attempt), expiresAt }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }))
  }

  /**
   * Writes a verdict and its state unless the recipient is settled or has a later attempt. A bounce is also not written
   * when the next attempt has begun: an earlier copy of the job may have queued it under other connectors, or before the
   * message expired. Then the attempt's outcome decides about the recipient. After a retry, a worker whose lease has
   * expired does not count, because the queue may have lost its job.
   * @param expiresAt seconds since the epoch
   * @param newRequirement digest of the requirement to keep; the recipient's first one is not replaced
   * @returns as the verdict to execute: this verdict; or the bounce that already settled the recipient, because its
   * writer may have died before it sent the job
   */
  async recordVerdict(
    message: Message,
    verdict: Verdict,
    context: DecisionContext,
    expiresAt: number,
    newRequirement: string | null = null,
  ): Promise<RecordedVerdict> {
    const { recipient, action, reason, explanation } = verdict
    const at = context.at.toISOString()
    const detail = detailOf(verdict, context)
    const isListed = !isCanary(message, recipient)
    const isWaiting = verdict.action === 'Defer' && isListed
    const always = {
      state: stateAfterVerdict[action],
      detail: packDetail(detail),
      attempts: recipient.attempts,
      sender: message.envelope.mailFrom,
      ...(message.source && { clientIp: message.source.ip }),
      ...(message.headerMessageId && { headerMessageId: searchedMessageId(message.headerMessageId) }),
      connectors: connectorsOf(verdict),
      ...(action !== 'Deliver' && { exception: stateAfterVerdict[action] }),
      expiresAt,
      ...(isWaiting && waitingAttributes(message, verdict)),
    }
    const hold: Hold = { at, reason, explanation }
    const once = {
      // Without these keys the index does not contain the recipient, so no list shows a canary.
      ...(isListed && indexKeys(message.id, message.receivedAt)),
      ...(isHeld(verdict) && { firstHeld: packDetail(hold) }),
      ...(newRequirement !== null && {
        requirement: { digest: newRequirement, since: context.at.getTime() },
      }),
    }
    const assignments = [...Object.keys(always).map(set), ...Object.keys(once).map(setOnce)]
    const item = await this.#updateOpen(message.id, recipient.address, {
      UpdateExpression: `SET ${assignments.join(', ')}${isWaiting ? '' : ` REMOVE ${removalFromWaiting}`}`,
      ConditionExpression: [
        isOpen,
        hasNoLaterAttempt,
        ...(action === 'Bounce' ? [context.retry ? nextAttemptDoesNotRun : nextAttemptHasNotBegun] : []),
      ].join(' AND '),
      ExpressionAttributeNames: {
        ...mapKeys({ ...always, ...once }, (name) => [`#${name}`, name]),
        ...waitingNames,
      },
      ExpressionAttributeValues: {
        ...mapKeys({ ...always, ...once }, (name, value) => [`:${name}`, value]),
        ...(action === 'Bounce' && context.retry && { ':decidedAt': context.at.getTime() }),
      },
    })
    if (item === null) return { executed: await this.#recordedBounce(message.id, verdict), requirement: null }
    const executed = { verdict: adaptedTo(item, verdict), stored: detail.verdict }
    return { executed, requirement: requirementOf(item) }
  }

  /**
   * Records a request of an administrator about a waiting recipient, for the next decision.
   * @returns false when the recipient is settled
   */
  async recordRequest(
    messageId: string,
    address: string,
    attribute: RequestAttribute,
    request: AdministratorRequest,
  ): Promise<boolean> {
    const item = await this.#updateOpen(messageId, address, {
      UpdateExpression: `SET ${attribute} = :request`,
      ConditionExpression: `${exists} AND ${isOpen}`,
      ExpressionAttributeValues: { ':request': request },
      ReturnValues: 'NONE',
    })
    return item !== null
  }

  /** @returns the bounce that settled this verdict's recipient, or null */
  async #recordedBounce(messageId: string, { recipient }: Verdict): Promise<ExecutedVerdict | null> {
    const key = recipientKey(messageId, recipient.address)
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    const item = Item as RecipientItem | undefined
    if (item?.state !== 'Bounced' || item.detail === undefined) return null
    const { verdict, bounced } = unpackDetail(item.detail) as RecipientDetail
    if (bounced === null) return null
    const bounce = { ...verdict, ...bounced, action: 'Bounce', recipient, newRequirement: null } as const
    return { verdict: adaptedTo(item, bounce), stored: verdict }
  }

  /**
   * Settles a recipient after the report of its delivery.
   * @param expiresAt seconds since the epoch
   */
  async recordDelivered(
    messageId: string,
    address: string,
    attempt: Attempt,
    expiresAt: number,
  ): Promise<void> {
    // Without a holder, a worker that still makes an attempt cannot write another result.
    await this.#updateOpen(messageId, address, {
      UpdateExpression: `SET #state = :delivered, claimed = :attempt, #result = :result, expiresAt = :expiresAt REMOVE holder, leaseUntil, #exception, ${removalFromWaiting}`,
      ConditionExpression: isOpen,
      ExpressionAttributeNames: { '#result': 'result', '#exception': 'exception', ...waitingNames },
      ExpressionAttributeValues: {
        ':delivered': 'Delivered',
        ':attempt': attempt.number,
        ':result': packDetail(attempt),
        ':expiresAt': expiresAt,
      },
      ReturnValues: 'NONE',
    })
  }

  /** Records that the follow-up jobs of the job at this position have been sent. Positions only increase. */
  async recordDecided(messageId: string, address: string, position: string): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          UpdateExpression: 'SET decided = :position',
          ConditionExpression: `${exists} AND (attribute_not_exists(decided) OR decided < :position)`,
          ExpressionAttributeValues: { ':position': position },
        }),
      ),
    )
  }

  /**
   * @returns the progress by address; a recipient that was never evaluated or claimed is missing. An erased recipient was
   * settled
   */
  async progress(messageId: string, addresses: readonly string[]): Promise<Map<string, Progress>> {
    const progress = new Map<string, Progress>()
    const erased = erasedKey(messageId)
    const keys = [erased, ...addresses.map((address) => recipientKey(messageId, address))]
    const items = await getItems<RecipientItem>(this.#documents, this.#table, keys, {
      ConsistentRead: true,
      ProjectionExpression:
        'sk, #state, attempts, decided, requirement, waived, returned, dropped, claimed, holder',
      ExpressionAttributeNames: { '#state': 'state' },
    })
    for (const item of items) if (isRecipientKey(item.sk)) progress.set(recipientOf(item), progressOf(item))
    if (items.some(({ sk }) => sk === erased.sk))
      for (const address of addresses)
        if (!progress.has(address)) progress.set(address, progressOf(erasedRecipient))
    return progress
  }

  /** Whether an address, and with it the content, was erased of the message. */
  isErased(messageId: string): Promise<boolean> {
    return isErased(this.#documents, this.#table, messageId)
  }

  /** @returns the item after the write; null when the condition was not met */
  async #updateOpen(
    messageId: string,
    address: string,
    update: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
  ): Promise<Partial<RecipientItem> | null> {
    try {
      const { Attributes } = await this.#documents.send(
        new UpdateCommand({
          ReturnValues: 'ALL_NEW',
          ...update,
          TableName: this.#table,
          Key: recipientKey(messageId, address),
          ExpressionAttributeNames: { '#state': 'state', ...update.ExpressionAttributeNames },
          ExpressionAttributeValues: { ...settledStates, ...update.ExpressionAttributeValues },
        }),
      )
      return Attributes ?? {}
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return null
      throw error
    }
  }
}

const progressOf = (item: RecipientItem): Progress => ({
  state: item.state ?? null,
  decided: item.decided ?? '',
  requirement: requirementOf(item),
  waiver: item.waived ?? null,
  isReturned: item.returned !== undefined,
  isDropped: item.dropped !== undefined,
  begunAttempt: item.holder === undefined ? null : (item.claimed ?? null),
  decidedAttempts: item.attempts ?? 0,
})

/** Every job of the recipient is overtaken. */
const erasedRecipient: RecipientItem = { pk: '', sk: '', state: 'Delivered', decided: '~' }

function detailOf(verdict: Verdict, { at, connectorsVersion, considered }: DecisionContext): RecipientDetail {
  const { recipient, action, reason, explanation, connectors, reportOnly, decidedBy, lowered } = verdict
  const { address: _, lastAttempt: _lastAttempt, ...facts } = recipient
  return {
    verdict: {
      action,
      reason,
      explanation,
      connectors,
      reportOnly,
      at: at.toISOString(),
      connectorsVersion,
      reply: action === 'Deliver' ? null : formatReply(verdict.reply),
      considered: considered(verdict),
      lowered,
    },
    until: action === 'Defer' ? verdict.until.toISOString() : null,
    givenUpAt: action === 'Defer' ? verdict.expiresAt.toISOString() : null,
    bounced:
      action === 'Bounce'
        ? { reply: verdict.reply, decidedBy, mayReturnContent: verdict.mayReturnContent === true }
        : null,
    recipient: {
      ...facts,
      delayNotified: facts.delayNotified || (action === 'Defer' && verdict.notifyDelay),
    },
  }
}

/**
 * True when the recipient is deferred without an attempt. A deferral after a failed attempt is in the attempt's result.
 */
const isHeld = ({ action, reason }: Verdict): boolean =>
  action === 'Defer' && reason !== 'RetryLater' && reason !== 'OutboundTlsNotMet'

/**
 * A bounce may not know what the item has, such as the bounce of a repeated first job. With a kept requirement it must
 * not return the content in a DSN that may leave in the clear. After a drop it must not send a DSN.
 */
const adaptedTo = ({ requirement, released, dropped }: Partial<RecipientItem>, verdict: Verdict): Verdict =>
  verdict.action === 'Bounce'
    ? {
        ...verdict,
        ...((requirement ?? released) !== undefined && { mayReturnContent: false }),
        ...(dropped !== undefined && { isSilent: true }),
      }
    : verdict

const set = (name: string): string => `#${name} = :${name}`
/** A list that is read page by page must not meet a message at two positions. */
const setOnce = (name: string): string => `#${name} = if_not_exists(#${name}, :${name})`

function mapKeys<T, Result>(
  fields: Record<string, T>,
  entry: (name: string, value: T) => [string, Result],
): Record<string, Result> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => entry(name, value)))
}
