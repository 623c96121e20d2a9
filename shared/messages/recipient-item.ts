/**
 * The item of a recipient: its state, its last verdict, and the claim on its last attempt. Attributes that conditions,
 * updates and the index need are plain; `detail` holds the rest, so that the item stays below 1 KB.
 */
import type { Recipient, Reply } from '../contract/message.ts'
import type { Verdict, Waiver } from '../policy/evaluate.ts'
import type { Considered } from '../policy/explain/considered.ts'
import type { WaitValues } from './waiting.ts'

export type RecipientState = 'Pending' | 'Delivered' | 'Deferred' | 'Bounced'

/** A kept requirement. `since`: the time of its decision, ISO 8601. */
export interface RequirementReference {
  digest: string
  since: string
}

/** A request of an administrator. `at`: ISO 8601. `by`: IAM principal, or subject of the token. */
export interface AdministratorRequest {
  at: string
  by: string
  /** The administrator's reason. */
  reason?: string
}

/** Attributes with the requests on which the next decision depends. `waived` is a `Waiver`. */
export type RequestAttribute = 'waived' | 'returned' | 'dropped'

export interface RecipientItem {
  pk: string
  sk: string
  state?: RecipientState
  /** A packed `RecipientDetail`; absent before the first verdict. */
  detail?: Uint8Array
  /** Number of attempts before the last verdict. */
  attempts?: number
  /** The latest position of a job whose follow-up jobs were sent. */
  decided?: string
  /** `since`: milliseconds since the epoch. */
  requirement?: { digest: string; since: number }
  /** The release despite the violation of an inbound connector. */
  waived?: Waiver
  returned?: AdministratorRequest
  dropped?: AdministratorRequest
  /** Written by an earlier version, which then removed `requirement`. */
  released?: unknown
  /** A packed `Hold`: the first time that a connector held the recipient. */
  firstHeld?: Uint8Array

  // The claim on an attempt.

  /** Number of the attempt that was claimed last. */
  claimed?: number
  /** The worker that claimed it; absent when that worker released it. */
  holder?: string
  /** Milliseconds since the epoch; absent when the attempt has ended. */
  leaseUntil?: number
  /** Number of workers that claimed the attempt before `holder` and wrote no result. */
  lost?: number
  /** The packed result of the attempt. */
  result?: Uint8Array

  // The index `byTime`.

  bucket?: string
  order?: string
  sender?: string
  clientIp?: string
  /** The beginning of the field Message-ID, without its angle brackets. */
  headerMessageId?: string
  /** Ids of the connectors of the last verdict. */
  connectors?: string[]
  /** `Deferred`: it was deferred and is not settled. Absent for a recipient that needs no attention. */
  exception?: 'Deferred' | 'Bounced'

  // The index `byWaiting`: a deferred recipient has these attributes, no other has. An earlier version did not write them.

  waiting?: string
  wait?: WaitValues

  /** Seconds since the epoch. */
  expiresAt?: number
}

export interface Hold {
  at: string
  reason: string
  explanation: string
}

/** `at`: the time of the decision. `reply`: the reply in a DSN; null for a delivery. */
export interface StoredVerdict
  extends Pick<Verdict, 'action' | 'reason' | 'explanation' | 'connectors' | 'reportOnly' | 'lowered'> {
  at: string
  connectorsVersion: number
  reply: string | null
  considered: Considered[]
}

/** The address is in the item's key, and the last attempt in the attempt's own item. */
export interface RecipientDetail {
  recipient: Omit<Recipient, 'address' | 'lastAttempt'>
  verdict: StoredVerdict
  until: string | null
  givenUpAt: string | null
  bounced: { reply: Reply; decidedBy: string | null; mayReturnContent: boolean } | null
}

/** The recipient is not settled. `NOT` also holds for an attribute that does not exist. */
export const isOpen = 'NOT #state IN (:delivered, :bounced)'
export const settledStates = { ':delivered': 'Delivered', ':bounced': 'Bounced' }

export const isSettled = ({ state }: { state?: RecipientState | null | undefined }): boolean =>
  state === 'Delivered' || state === 'Bounced'

export const requirementOf = ({
  requirement,
}: Pick<RecipientItem, 'requirement'>): RequirementReference | null =>
  requirement === undefined
    ? null
    : { digest: requirement.digest, since: new Date(requirement.since).toISOString() }
