/** What one message needs of AWS, as a run of the local runner has shown it; kept in `recordings/`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

/** `inbound`: mail from outside to the mailbox server, through authentication and a smart host. The others send mail. */
export const routes = ['smart-host', 'mx', 'ses', 'inbound'] as const
export type Route = (typeof routes)[number]

/** Requests, messages or items, billed units, octets of content. */
const Amounts = z.object({ requests: z.number(), entries: z.number(), units: z.number(), octets: z.number() })

/** A function needs some calls once for a batch, and others for each message of the batch. */
const Call = z.object({
  unit: z.string(),
  service: z.string(),
  operation: z.string(),
  resource: z.string(),
  key: z.string(),
  perBatch: Amounts,
  perMessage: Amounts,
  /** Part of these calls that concern the most frequent partition; 0 when each message has its own. */
  hottestShare: z.number().default(0),
})
export type Call = z.output<typeof Call>

const Line = z.object({ perBatch: z.number(), perMessage: z.number() })

const RecordedFunction = z.object({
  unit: z.string(),
  /** Jobs of this unit for each message of the run, by queue. */
  jobsPerMessage: z.record(z.string(), z.number()),
  /** Mean number of jobs of an invocation in the run. */
  jobsPerBatch: z.number(),
  /** Milliseconds of processor time, and of waiting, of an invocation. */
  cpuMs: Line,
  waitMs: Line,
  /** Mean milliseconds in which an execution environment was created; null when none was. */
  coldStartMs: z.number().nullable(),
})
export type RecordedFunction = z.output<typeof RecordedFunction>

/** What a unit writes to its log for each message, without the lines of Lambda. */
const Log = z.object({ unit: z.string(), octets: z.number(), lines: z.number() })

/** A metric of the embedded metric format, one for each set of dimensions. */
const RecordedMetric = z.object({ unit: z.string(), name: z.string(), dimensions: z.string() })

export const Recording = z.object({
  route: z.enum(routes),
  recordedAt: z.string(),
  conditions: z.object({
    messagesPerSecond: z.number(),
    seconds: z.number(),
    messages: z.number(),
    messageOctets: z.number(),
    sessions: z.number(),
    latenciesMs: z.record(z.string(), z.number()),
    partnerReplyMs: z.number(),
    machine: z.string(),
    loadAverage: z.string(),
  }),
  calls: z.array(Call),
  functions: z.array(RecordedFunction),
  logs: z.array(Log),
  metrics: z.array(RecordedMetric),
})
export type Recording = z.output<typeof Recording>

/** What the stack needs while there is no mail but the canaries, for each second. */
export const IdleRecording = z.object({
  recordedAt: z.string(),
  seconds: z.number(),
  calls: z.array(
    Call.omit({ perBatch: true, perMessage: true, hottestShare: true }).extend({ perSecond: Amounts }),
  ),
  invocationsPerSecond: z.record(z.string(), z.number()),
  logs: z.array(Log),
  metrics: z.array(RecordedMetric),
})
export type IdleRecording = z.output<typeof IdleRecording>

/** The requests of one ingress task at several rates. */
export const IngressRates = z.object({
  recordedAt: z.string(),
  messageOctets: z.number(),
  latenciesMs: z.record(z.string(), z.number()),
  rates: z.array(
    z.object({
      messagesPerSecond: z.number(),
      putsPerMessage: z.number(),
      sendsPerMessage: z.number(),
      cpuMsPerMessage: z.number(),
    }),
  ),
})
export type IngressRates = z.output<typeof IngressRates>

const folder = join(import.meta.dirname, 'recordings')
const pathOf = (name: string) => join(folder, `${name}.json`)

export const readRecording = (route: Route): Recording =>
  Recording.parse(JSON.parse(readFileSync(pathOf(route), 'utf8')))

export const readIdleRecording = (): IdleRecording =>
  IdleRecording.parse(JSON.parse(readFileSync(pathOf('idle'), 'utf8')))

export const readIngressRates = (): IngressRates =>
  IngressRates.parse(JSON.parse(readFileSync(pathOf('ingress'), 'utf8')))

/** Numbers have four significant digits, so that a file shows no more than was measured. */
export function writeRecording(name: string, recording: Recording | IdleRecording | IngressRates): void {
  const round = (_: string, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(4)) : value
  writeFileSync(pathOf(name), `${JSON.stringify(recording, round, 2)}\n`)
}

/** The name of a call, by which recordings are compared. */
export const nameOfCall = ({
  unit,
  service,
  operation,
  resource,
  key,
}: Pick<Call, 'unit' | 'service' | 'operation' | 'resource' | 'key'>): string =>
  [unit, service, operation, resource, key].filter((part) => part !== '').join(' ')
