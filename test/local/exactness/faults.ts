/** Faults of a run: workers and the ingress are killed, and queues deliver messages twice and late. */
import { setTimeout as delay } from 'node:timers/promises'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { QueueWaits } from '../../support/local/queue-waits.ts'
import type { RunnerProcess } from '../../support/local/runner.ts'
import type { Random } from '../../support/random.ts'
import type { Clients } from './clients.ts'

export interface FaultCounts {
  ingressKills: number
  workerKills: number
  duplicates: number
}

export interface FaultOptions {
  messages: number
  random: Random
  clients: Clients
}

/**
 * Messages between two kills, at least. A killed worker keeps its slots of the partner until their leases end, so more kills
 * would only let all mail wait.
 */
const minMessagesPerWorkerKill = 120
const minMessagesPerIngressKill = 450
const maxWorkerKills = 30
const maxIngressKills = 10
/** Share of the messages in a queue of which a copy is sent at each poll. */
const duplicateShare = 0.1
const maxDuplicateDelaySeconds = 20
const pollMs = 1000
/** On a slow machine a living worker holds a batch for some seconds. */
const maxHoldPolls = 12
/** Milliseconds in which the ingress has sent the events of its rejections. A killed one loses those of a second. */
const rejectionsMs = 4000

export class Faults {
  readonly counts: FaultCounts = { ingressKills: 0, workerKills: 0, duplicates: 0 }
  readonly #runner: RunnerProcess
  readonly #options: FaultOptions
  readonly #waits: QueueWaits
  readonly #sqs: SQSClient
  readonly #skipWaits: () => Promise<void>
  readonly #messagesPerWorkerKill: number
  readonly #messagesPerIngressKill: number

  constructor(runner: RunnerProcess, options: FaultOptions) {
    this.#runner = runner
    this.#options = options
    const { messages } = options
    this.#messagesPerWorkerKill = Math.max(minMessagesPerWorkerKill, messages / maxWorkerKills)
    this.#messagesPerIngressKill = Math.max(minMessagesPerIngressKill, messages / maxIngressKills)
    this.#waits = new QueueWaits(runner.endpoints)
    this.#skipWaits = this.#waits.createSkipper(maxHoldPolls)
    this.#sqs = new SQSClient({
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      endpoint: runner.endpoints.sqs,
    })
  }

  /** Causes faults until the promise resolves. */
  async runDuring(sending: Promise<void>): Promise<void> {
    let isSending = true
    const ended = sending.finally(() => {
      isSending = false
    })
    while (isSending) {
      const { size } = this.#options.clients.counts.accepted
      const { workerKills, ingressKills } = this.counts
      if (size > (workerKills + 0.5) * this.#messagesPerWorkerKill) await this.#killWorkers()
      if (size > (ingressKills + 0.5) * this.#messagesPerIngressKill) await this.#killIngress()
      await this.#sendDuplicates()
      await this.#skipWaits()
      await delay(pollMs)
    }
    await ended
  }

  /** Call this once a second after the load. */
  endWaits(): Promise<void> {
    return this.#skipWaits()
  }

  async #killWorkers(): Promise<void> {
    const linesBefore = this.#runner.stderrLines.length
    process.kill(this.#runner.endpoints.pids.runner, 'SIGUSR2')
    while (!this.#runner.stderrLines.slice(linesBefore).some((line) => line.includes('SIGUSR2: killed')))
      await delay(20)
    this.counts.workerKills++
  }

  async #killIngress(): Promise<void> {
    const { clients } = this.#options
    await clients.pauseRefusals()
    await delay(rejectionsMs)
    process.kill(this.#ingressPid(), 'SIGKILL')
    this.counts.ingressKills++
    while (this.#restarts().length < this.counts.ingressKills) await delay(50)
    clients.resumeRefusals()
  }

  #restarts(): string[] {
    return this.#runner.stderrLines.flatMap((line) => /restarted as pid (\d+)/.exec(line)?.[1] ?? [])
  }

  #ingressPid(): number {
    return Number(this.#restarts().at(-1) ?? this.#runner.endpoints.pids.ingress)
  }

  async #sendDuplicates(): Promise<void> {
    const { random } = this.#options
    const { ready, inFlight } = await this.#waits.inspect(random.of(this.#waits.urls))
    for (const { url, body } of [...ready, ...inFlight]) {
      if (!random.happens(duplicateShare)) continue
      await this.#sqs.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: body,
          DelaySeconds: random.between(0, maxDuplicateDelaySeconds),
        }),
      )
      this.counts.duplicates++
    }
  }
}
