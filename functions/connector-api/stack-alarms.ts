/**
 * Reads the alarms of the stack from CloudWatch (API version 2010-08-01, JSON protocol), without the SDK's client: it
 * would make the function larger for one call.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
 */
import { hash } from 'node:crypto'
import * as z from 'zod'
import { CredentialsCache, type ProvidedCredentials } from '../../shared/aws/credentials-cache.ts'
import { originOf } from '../../shared/aws/http-connections.ts'
import { ServiceClient } from '../../shared/aws/service-client.ts'
import { alarmNamePrefix, parseAlarm, runbookSection } from '../../shared/contract/alarms.ts'
import { alarmStates, type HealthAlarm } from '../../shared/contract/health.ts'

export interface StackAlarmsOptions {
  stackName: string
  region(): Promise<string>
  credentials(): Promise<ProvidedCredentials>
  /** In place of the Region's endpoint. */
  endpoint?: string | undefined
}

/** CloudWatch's maximum of MaxRecords. */
const pageSize = 100

/**
 * Two tries of a page take less than the 10 seconds of the function. An alarm has at most 10 KB: ten metrics, and 5 KB
 * of text about its state.
 */
const limits = { connectMs: 1_500, totalMs: 4_000, maxResponseOctets: pageSize * 10_240 }
const maxTries = 2

/** Seconds since the epoch, as in the JSON protocols of AWS. */
const timestamp = z.number().transform((seconds) => new Date(seconds * 1000).toISOString())

const Page = z.object({
  MetricAlarms: z.array(
    z.object({
      AlarmName: z.string(),
      AlarmDescription: z.string().default(''),
      StateValue: z.enum(alarmStates),
      /** Also changes without a change of the state. */
      StateUpdatedTimestamp: timestamp,
      StateTransitionedTimestamp: timestamp.optional(),
    }),
  ),
  NextToken: z.string().nullish(),
})

export class StackAlarms {
  readonly #options: StackAlarmsOptions
  #client: ServiceClient | null = null

  constructor(options: StackAlarmsOptions) {
    this.#options = options
  }

  /**
   * @returns the alarms in the order of their names; without those that others named like alarms of the stack
   * @throws ServiceError or NoResponseError; ZodError for a response of another form
   */
  async read(): Promise<HealthAlarm[]> {
    const { stackName } = this.#options
    const alarms: HealthAlarm[] = []
    let next: string | null = null
    do {
      const { MetricAlarms, NextToken }: z.output<typeof Page> = await this.#page(next)
      for (const alarm of MetricAlarms) {
        const text = parseAlarm(stackName, alarm.AlarmName, alarm.AlarmDescription)
        if (text === null) continue
        const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp
        alarms.push({ ...text, state: alarm.StateValue, since, runbook: runbookSection(text.title) })
      }
      next = NextToken || null
    } while (next !== null)
    return alarms
  }

  async #page(next: string | null): Promise<z.output<typeof Page>> {
    const body = Buffer.from(
      JSON.stringify({
        AlarmNamePrefix: alarmNamePrefix(this.#options.stackName),
        AlarmTypes: ['MetricAlarm'],
        MaxRecords: pageSize,
        ...(next !== null && { NextToken: next }),
      }),
    )
    this.#client ??= await this.#connect()
    const response = await this.#client.send(
      {
        method: 'POST',
        path: '/',
        headers: {
          'content-length': String(body.length),
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'GraniteServiceVersion20100801.DescribeAlarms',
        },
        body: [body],
        payloadHash: hash('sha256', body),
      },
      maxTries,
    )
    return Page.parse(JSON.parse(response.body))
  }

  async #connect(): Promise<ServiceClient> {
    const { endpoint, credentials } = this.#options
    const region = await this.#options.region()
    const target = {
      ...originOf(endpoint ?? regionalEndpoint(region)),
      path: '',
      region,
      service: 'monitoring',
    }
    return new ServiceClient(target, new CredentialsCache(credentials), limits)
  }
}

/** AWS: the endpoints of CloudWatch (https://docs.aws.amazon.com/general/latest/gr/cw_region.html). */
const regionalEndpoint = (region: string): string =>
  `https://monitoring.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`
