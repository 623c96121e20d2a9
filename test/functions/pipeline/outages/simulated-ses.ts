/** Amazon SES with a quota per second, and the code of deliver-message that keeps to the quota. */
import { SesSlots } from '../../../../functions/deliver-message/ses-slots.ts'
import { deliverThroughSes } from '../../../../shared/net/ses-delivery.ts'
import type { OutboundMessage, Outcomes } from '../../../../shared/net/smtp-delivery.ts'
import { SesRateLimiter } from '../../../../shared/transport/ses-rate-limiter.ts'
import type { Command } from '../../../support/pipeline/table.ts'
import type { Random } from '../random.ts'
import { type Aws, functionClient, reservationClient } from './aws.ts'
import type { Clock } from './clock.ts'
import type { Ledger } from './ledger.ts'
import { timeOf } from './mail.ts'
import type { Tables } from './tables.ts'

export interface SimulatedSesOptions {
  clock: Clock
  aws: Aws
  random: Random
  tables: Tables
  ledger: Ledger
  /** Recipients per second. */
  rate: number
}

export class SimulatedSes {
  readonly #options: SimulatedSesOptions
  /** By worker: each is an instance of the function. */
  readonly #slots = new Map<string, SesSlots>()
  readonly #signal = new AbortController().signal

  constructor(options: SimulatedSesOptions) {
    this.#options = options
  }

  slotsOf(worker: string): SesSlots {
    const { clock, random } = this.#options
    const slots =
      this.#slots.get(worker) ??
      new SesSlots({
        limiter: createLimiter(this.#options),
        now: () => timeOf(clock.now).getTime(),
        random: () => random.integerBelow(1000) / 1000,
        onError() {},
        onDailyQuotaUsedUp() {},
        wait: (milliseconds) => clock.sleep(milliseconds),
      })
    this.#slots.set(worker, slots)
    return slots
  }

  /** @param isSent whether the caller still runs */
  deliver(mail: OutboundMessage, message: string, worker: string, isSent: () => boolean): Promise<Outcomes> {
    const { aws, clock, ledger } = this.#options
    const accept = (): string => {
      ledger.delivered(message)
      return message
    }
    return deliverThroughSes(mail, {
      ses: {
        send: async () => {
          if (aws.outage('ses') === 'throttles') throw throttlingError()
          return aws.request('ses', functionClient, accept, isSent)
        },
      },
      configurationSets: { requireTls: 'require', optionalTls: 'optional' },
      signal: this.#signal,
      onThrottled: () => this.slotsOf(worker).pause(),
      // At least the longest wait that jitter permits, so that a run can be repeated.
      wait: () => clock.sleep(1_000),
    })
  }
}

function createLimiter({ aws, tables, rate }: SimulatedSesOptions): SesRateLimiter {
  const documents = {
    send: (command: Command) => aws.request('messages', reservationClient, () => tables.send(command)),
  }
  return new SesRateLimiter(documents as never, 'transport', {
    readQuota: async () => ({ maxSendRate: rate, max24HourSend: -1, sentLast24Hours: 0 }),
    onError() {},
    timeoutMs: reservationClient.timeoutMs,
  })
}

const throttlingError = (): Error =>
  Object.assign(new Error('Maximum sending rate exceeded.'), { name: 'Throttling' })
