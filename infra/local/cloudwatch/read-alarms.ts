/** Reads the alarms of the template. */
import * as z from 'zod'
import { StartError } from '../start-error.ts'
import { parse, type Resolver, resourcesOfType, type Template } from '../template.ts'
import { type AlarmDefinition, comparisons, type MetricQuery } from './evaluate-alarm.ts'
import { type MathExpression, parseExpression } from './metric-math.ts'
import { statistics } from './metric-store.ts'

const Dimensions = z.array(z.object({ Name: z.string(), Value: z.unknown() })).default([])
const Period = z.int().multipleOf(60).min(60)

const Query = z.union([
  z.object({
    Id: z.string(),
    ReturnData: z.literal(false),
    MetricStat: z.object({
      Metric: z.object({ Namespace: z.string(), MetricName: z.string(), Dimensions }),
      Stat: z.enum(statistics),
      Period,
    }),
  }),
  z.object({ Expression: z.string(), ReturnData: z.literal(true) }),
])

const Watched = z.union([
  z.object({
    Namespace: z.string(),
    MetricName: z.string(),
    Dimensions,
    Statistic: z.enum(statistics),
    Period,
  }),
  z.object({ Metrics: z.array(Query) }),
])

const AlarmProperties = z.object({
  AlarmName: z.string(),
  AlarmDescription: z.string(),
  ComparisonOperator: z.enum(comparisons),
  EvaluationPeriods: z.int().positive(),
  /** Fewer breaching periods than evaluated ones are not implemented. */
  DatapointsToAlarm: z.undefined().optional(),
  Threshold: z.number(),
  TreatMissingData: z.enum(['missing', 'notBreaching']),
})

/** @throws StartError for an alarm that the runner cannot evaluate */
export function readAlarms(template: Template, resolver: Resolver): AlarmDefinition[] {
  return resourcesOfType(template, 'AWS::CloudWatch::Alarm').map(([id, properties]) => {
    const alarm = parse(AlarmProperties, properties, id)
    const { queries, expression } = watchedBy(parse(Watched, properties, id), id, resolver)
    return {
      name: alarm.AlarmName,
      description: alarm.AlarmDescription,
      queries,
      expression,
      threshold: alarm.Threshold,
      comparison: alarm.ComparisonOperator,
      evaluationPeriods: alarm.EvaluationPeriods,
      treatMissingData: alarm.TreatMissingData,
    }
  })
}

function watchedBy(
  watched: z.output<typeof Watched>,
  logicalId: string,
  resolver: Resolver,
): { queries: ReadonlyMap<string, MetricQuery>; expression: MathExpression } {
  if (!('Metrics' in watched)) {
    const { Namespace, MetricName, Dimensions, Statistic: Stat, Period } = watched
    const query = queryOf({ Metric: { Namespace, MetricName, Dimensions }, Stat, Period }, resolver)
    return { queries: new Map([['metric', query]]), expression: (read) => read('metric') }
  }
  const stats = watched.Metrics.filter((query) => 'MetricStat' in query)
  const [expression, ...others] = watched.Metrics.filter((query) => 'Expression' in query)
  if (expression === undefined || others.length > 0)
    throw new StartError(`template: ${logicalId}: expected exactly one expression`)
  try {
    return {
      queries: new Map(stats.map(({ Id, MetricStat }) => [Id, queryOf(MetricStat, resolver)])),
      expression: parseExpression(expression.Expression),
    }
  } catch (error) {
    throw new StartError(`template: ${logicalId}: ${(error as Error).message}`)
  }
}

type MetricStat = Extract<z.output<typeof Query>, { MetricStat: unknown }>['MetricStat']

function queryOf({ Metric, Stat, Period }: MetricStat, resolver: Resolver): MetricQuery {
  const dimensions = Metric.Dimensions.map(({ Name, Value }) => [Name, dimensionText(Value, resolver)])
  return {
    metric: {
      namespace: Metric.Namespace,
      name: Metric.MetricName,
      dimensions: Object.fromEntries(dimensions),
    },
    statistic: Stat,
    periodMinutes: Period / 60,
  }
}

/** The runner has no load balancer and no API of API Gateway, so their names stay references. */
function dimensionText(value: unknown, resolver: Resolver): string {
  try {
    return resolver.string(value)
  } catch {
    return JSON.stringify(value)
  }
}
