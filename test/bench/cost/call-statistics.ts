/**
 * Adds up the parts of calls, and separates what an invocation of a function needs once from what each of its messages
 * needs: y = perBatch + perMessage × messages, by least squares over all invocations.
 */
import type { CallPart } from './aws-call.ts'

/** The figures of a part. */
export interface Amounts {
  readonly requests: number
  readonly entries: number
  readonly units: number
  readonly octets: number
}

export const noAmounts: Amounts = { requests: 0, entries: 0, units: 0, octets: 0 }

const amountNames = ['requests', 'entries', 'units', 'octets'] as const

/** Combines amounts figure by figure. */
export const combine = (one: Amounts, other: Amounts, by: (one: number, other: number) => number): Amounts =>
  Object.fromEntries(amountNames.map((name) => [name, by(one[name], other[name])])) as unknown as Amounts

export const add = (one: Amounts, other: Amounts): Amounts => combine(one, other, (a, b) => a + b)
export const scale = (amounts: Amounts, factor: number): Amounts =>
  combine(amounts, noAmounts, (amount) => amount * factor)

/** The text by which parts are added up. */
export const nameOfPart = ({
  operation,
  resource,
  key,
}: Pick<CallPart, 'operation' | 'resource' | 'key'>): string => JSON.stringify([operation, resource, key])

export interface Line {
  /** What one invocation needs in addition to what its messages need. */
  readonly perBatch: number
  readonly perMessage: number
}

/** Sums from which a line is computed. */
interface LineSums {
  y: number
  yn: number
}

/** Sums over the number of messages of each invocation. */
export class BatchSums {
  batches = 0
  messages = 0
  #squares = 0
  readonly #lines = new Map<string, LineSums>()

  /** @param values by name; a missing name is 0 */
  add(messages: number, values: ReadonlyMap<string, number>): void {
    this.batches += 1
    this.messages += messages
    this.#squares += messages * messages
    for (const [name, value] of values) {
      const sums = this.#lines.get(name) ?? { y: 0, yn: 0 }
      sums.y += value
      sums.yn += value * messages
      this.#lines.set(name, sums)
    }
  }

  get names(): string[] {
    return [...this.#lines.keys()]
  }

  line(name: string): Line {
    const { y, yn } = this.#lines.get(name) ?? { y: 0, yn: 0 }
    const variation = this.batches * this.#squares - this.messages ** 2
    const onlyPerMessage = { perBatch: 0, perMessage: this.messages === 0 ? 0 : y / this.messages }
    // Batches of one size do not tell the two apart.
    if (variation <= 0.05 * this.messages ** 2) return onlyPerMessage
    const perMessage = (this.batches * yn - this.messages * y) / variation
    const perBatch = (y - perMessage * this.messages) / this.batches
    if (perBatch < 0) return onlyPerMessage
    if (perMessage < 0) return { perBatch: y / this.batches, perMessage: 0 }
    return { perBatch, perMessage }
  }
}

/** Amounts by the name of a part. */
export class PartSums {
  readonly #sums = new Map<string, Amounts>()

  add(part: CallPart, factor = 1): void {
    const name = nameOfPart(part)
    this.#sums.set(name, add(this.#sums.get(name) ?? noAmounts, scale(part, factor)))
  }

  entries(): [name: string, amounts: Amounts][] {
    return [...this.#sums]
  }
}
