/** What is away, how, and when. Data. */

/** Parts of AWS that can be away on their own. */
export type Target = 'connectors' | 'messages' | 'puts' | 'gets' | 'queues' | 'ses'

export const services = {
  DynamoDB: ['connectors', 'messages'],
  S3: ['puts', 'gets'],
  SQS: ['queues'],
  SES: ['ses'],
  /** Clients are still served, because the ingress reads only the connectors. So accepted mail gathers. */
  'messages table': ['messages'],
  /** Clients are still served, because the ingress only writes. So accepted mail gathers. */
  'reads from S3': ['gets'],
} as const satisfies Record<string, readonly Target[]>

export type Service = keyof typeof services

export type OutageKind =
  /** An error at once. */
  | 'refuses'
  /** No response and no effect. */
  | 'times out'
  /** The effect, and a response that arrives after the caller's timeout. */
  | 'answers late'
  /** Amazon SES only: an error at once, because of the quota per second. */
  | 'throttles'

export interface Outage {
  service: Service
  kind: OutageKind
  /** Minutes after the start of the load. */
  start: number
  minutes: number
}

const silences = ['refuses', 'times out', 'answers late'] as const

/** Minutes of load before the first outage, and after the last. */
export const marginMinutes = 10

const durations: Record<Service, number> = {
  DynamoDB: 180,
  S3: 60,
  SQS: 60,
  SES: 60,
  'messages table': 180,
  'reads from S3': 60,
}

const outage = (service: Service, kind: OutageKind, start = marginMinutes): Outage => ({
  service,
  kind,
  start,
  minutes: durations[service],
})

const kindsOf = (service: Service): readonly OutageKind[] => (service === 'SES' ? ['throttles'] : silences)

const alone = (service: Service): Outage[][] => kindsOf(service).map((kind) => [outage(service, kind)])

const together = (first: Service, second: Service): Outage[][] =>
  kindsOf(first).flatMap((kind) =>
    kindsOf(second).map((secondKind) => [outage(first, kind), outage(second, secondKind)]),
  )

/** Each outage begins when the previous one ends. */
function sequence(kind: OutageKind, ...order: Service[]): Outage[] {
  let start = marginMinutes
  return order.map((service) => {
    const next = outage(service, service === 'SES' ? 'throttles' : kind, start)
    start += next.minutes
    return next
  })
}

const pairs = [
  ...together('DynamoDB', 'S3'),
  ...together('DynamoDB', 'SQS'),
  ...together('DynamoDB', 'SES'),
  ...together('S3', 'SQS'),
  ...together('S3', 'SES'),
  ...together('SQS', 'SES'),
]

/** Whether both services fail in the same way, as far as Amazon SES can. */
const isUniform = (outages: readonly Outage[]): boolean =>
  new Set(outages.map(({ kind }) => kind).filter((kind) => kind !== 'throttles')).size === 1

/** Each scenario is a list of outages. */
export const scenarios: readonly (readonly Outage[])[] = [
  ...(['DynamoDB', 'S3', 'SQS', 'SES', 'messages table', 'reads from S3'] as const).flatMap(alone),
  ...pairs.filter(isUniform),
  ...silences.map((kind) => sequence(kind, 'DynamoDB', 'S3', 'SQS')),
]

/** Pairs whose services fail in different ways, and further sequences. */
export const furtherScenarios: readonly (readonly Outage[])[] = [
  ...pairs.filter((outages) => !isUniform(outages)),
  ...silences.map((kind) => sequence(kind, 'SES', 'SQS', 'messages table')),
]

const minuteMs = 60_000

export const endOf = (outages: readonly Outage[]): number =>
  Math.max(...outages.map(({ start, minutes }) => start + minutes)) * minuteMs

/** @param atMs milliseconds since the start of the load @returns null when the target works */
export function outageAt(outages: readonly Outage[], target: Target, atMs: number): OutageKind | null {
  const minute = atMs / minuteMs
  const current = outages.find(
    ({ service, start, minutes }) =>
      start <= minute &&
      minute < start + minutes &&
      (services[service] as readonly Target[]).includes(target),
  )
  return current?.kind ?? null
}

/** @returns for example `DynamoDB refuses 3 h, S3 refuses 1 h`, or with `then` between outages that follow each other */
export function describeOutages(outages: readonly Outage[]): string {
  const areSequential = outages.some(({ start }) => start !== marginMinutes)
  return outages
    .map(({ service, kind, minutes }) => `${service} ${kind} ${minutes / 60} h`)
    .join(areSequential ? ', then ' : ' and ')
}
