/**
 * Emulates CloudWatch: collects the metrics of the stack from its logs and from the runner's parts, evaluates the
 * alarms of the template, and answers DescribeAlarms
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html).
 */
import { createServer, type Server } from 'node:http'
import { Writable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { StringDecoder } from 'node:string_decoder'
import * as z from 'zod'
import { AlarmStates, type DescribedAlarm } from '../cloudwatch/alarm-states.ts'
import { readEmbeddedMetrics } from '../cloudwatch/embedded-metrics.ts'
import type { AlarmDefinition } from '../cloudwatch/evaluate-alarm.ts'
import { type MetricId, MetricStore, minuteMs } from '../cloudwatch/metric-store.ts'

/** Returns the current value of a metric of AWS; null when the runner does not have the metric. */
export type MetricSource = (metric: MetricId) => Promise<number | null> | number | null

const DescribeAlarms = z.object({
  AlarmNamePrefix: z.string().default(''),
  MaxRecords: z.int().min(1).max(100).default(50),
  NextToken: z.string().regex(/^\d+$/).optional(),
})

export class CloudWatchEmulator {
  readonly server: Server
  readonly #metrics = new MetricStore()
  readonly #sources: MetricSource[] = []
  #definitions: readonly AlarmDefinition[] = []
  #states = new AlarmStates([], this.#metrics, 0)
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.server = createServer(async (request, response) => {
      const respond = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
      const [, call] = String(request.headers['x-amz-target']).split('.')
      const { data } = DescribeAlarms.safeParse(await json(request).catch(() => null))
      if (call !== 'DescribeAlarms' || data === undefined)
        respond(400, { __type: 'InvalidParameterValue', message: 'The local runner does not support this.' })
      else respond(200, page(await this.#evaluate(), data))
    })
    // As often as CloudWatch, so that the start of a state is right although no request comes.
    this.#timer = setInterval(() => void this.#evaluate(), minuteMs).unref()
  }

  /** Sets the alarms. Before, there are none. */
  setAlarms(definitions: readonly AlarmDefinition[]): void {
    this.#definitions = definitions
    this.#states = new AlarmStates(definitions, this.#metrics, Date.now())
  }

  /** Adds a source of metrics that AWS publishes, and that the alarms watch. It is read at each evaluation. */
  addSource(source: MetricSource): void {
    this.#sources.push(source)
  }

  record(metric: MetricId, value: number): void {
    this.#metrics.add(metric, value, Date.now())
  }

  /** Returns a stream that copies a unit's output to its log, and reads the metrics in it. */
  metricsTo(log: Writable): Writable {
    const decoder = new StringDecoder()
    let unfinished = ''
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const lines = (unfinished + decoder.write(chunk)).split('\n')
        unfinished = lines.pop() ?? ''
        for (const { metric, value, at } of lines.flatMap(readEmbeddedMetrics))
          this.#metrics.add(metric, value, at)
        if (log.write(chunk)) done()
        else log.once('drain', done)
      },
    }).setMaxListeners(0)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #evaluate(): Promise<DescribedAlarm[]> {
    const watched = new Map<string, MetricId>()
    for (const { queries } of this.#definitions)
      for (const { metric } of queries.values()) watched.set(JSON.stringify(metric), metric)
    for (const metric of watched.values())
      for (const source of this.#sources) {
        const value = await source(metric)
        if (value !== null) this.record(metric, value)
      }
    return this.#states.evaluate(Date.now())
  }
}

/** A token is the number of the alarms on the pages before. */
function page(
  alarms: readonly DescribedAlarm[],
  { AlarmNamePrefix, MaxRecords, NextToken = '0' }: z.output<typeof DescribeAlarms>,
): object {
  const matching = alarms.filter(({ name }) => name.startsWith(AlarmNamePrefix))
  const end = Number(NextToken) + MaxRecords
  return {
    MetricAlarms: matching.slice(Number(NextToken), end).map(({ name, description, state, since }) => ({
      AlarmName: name,
      AlarmDescription: description,
      StateValue: state,
      StateUpdatedTimestamp: since / 1000,
      StateTransitionedTimestamp: since / 1000,
    })),
    ...(end < matching.length && { NextToken: String(end) }),
  }
}
