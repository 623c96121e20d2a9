/** The fault of each request. It depends on the run's seed, the service, and the request's number for that service. */
import { Random } from '../support/random.ts'

/**
 * Faults after the execution of a request: the connection is reset before the response or within it, the response is an
 * error, or the response comes after the ingress's timeout. The ingress cannot know that the request was executed.
 */
export const faultsAfterExecution = ['AnswerLost', 'AnswerCut', 'ErrorAfter', 'Late'] as const

export type Fault =
  | 'None'
  /** The connection is reset before the body is read. */
  | 'Refused'
  /** The connection is reset in the middle of the body. */
  | 'RequestCut'
  /** An error; the request is not executed. */
  | 'ErrorBefore'
  | 'Throttled'
  /** The response comes late, within a second. */
  | 'Slow'
  /** Some entries of a batch are refused, some of them permanently. */
  | 'EntriesRefused'
  /** The response omits some entries of a batch, accepted or not. */
  | 'EntriesUnnamed'
  /** The digest in the response differs from the digest of the entry's body. */
  | 'EntryDamaged'
  | (typeof faultsAfterExecution)[number]

export interface PlannedFault {
  fault: Fault
  /** Delay of the response in milliseconds. */
  delayMs: number
  /** Random numbers for other choices. */
  random: Random
}

export type Service = 'S3' | 'SQS' | 'DynamoDB'

/** Probability of each fault outside storms. */
const calmWeights: Partial<Record<Fault, number>> = {
  Refused: 0.01,
  RequestCut: 0.01,
  ErrorBefore: 0.01,
  Throttled: 0.005,
  Slow: 0.01,
  AnswerLost: 0.01,
  AnswerCut: 0.01,
  ErrorAfter: 0.01,
  Late: 0.0005,
}

/** Additional faults of batches. */
const batchWeights: Partial<Record<Fault, number>> = {
  EntriesRefused: 0.02,
  EntriesUnnamed: 0.02,
  EntryDamaged: 0.01,
}

/** Each period of this many requests contains one storm of `stormRequests` requests. */
const stormPeriodRequests = 800
const stormRequests = 40
/** Factor by which a storm increases the probability of faults. */
const stormFactor = 8

export class FaultPlan {
  readonly #seed: number
  readonly #requests = { S3: 0, SQS: 0, DynamoDB: 0 }

  constructor(seed: number) {
    this.#seed = seed
  }

  next(service: Service): PlannedFault {
    const number = this.#requests[service]++
    const random = new Random(this.#seed, service.length, number, 2)
    const weights = service === 'SQS' ? { ...calmWeights, ...batchWeights } : calmWeights
    const fault = random.weighted<Fault>(
      isStorm(this.#seed, service, number) ? stormWeights(weights) : weights,
      'None',
    )
    return {
      fault: service === 'DynamoDB' && fault === 'Late' ? 'Slow' : fault,
      delayMs: delayOf(fault, random),
      random,
    }
  }
}

function isStorm(seed: number, service: Service, number: number): boolean {
  if (service === 'DynamoDB') return false
  const period = Math.floor(number / stormPeriodRequests)
  const begin = new Random(seed, service.length, period, 3).between(0, stormPeriodRequests - stormRequests)
  const at = (number % stormPeriodRequests) - begin
  return at >= 0 && at < stormRequests
}

/** A late response holds a session for seconds, so storms do not increase the probability of `Late`. */
const stormWeights = ({
  Late = 0,
  ...weights
}: Partial<Record<Fault, number>>): Partial<Record<Fault, number>> => ({
  ...Object.fromEntries(Object.entries(weights).map(([fault, weight]) => [fault, weight * stormFactor])),
  Late,
})

function delayOf(fault: Fault, random: Random): number {
  if (fault === 'Late') return random.between(7000, 9000)
  return fault === 'Slow' ? random.between(100, 1000) : random.between(0, 8)
}
