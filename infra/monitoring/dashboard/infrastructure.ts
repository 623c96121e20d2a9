/** The dashboard's sections on the ingress, the queues and the functions. */
import { type IWidget, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Metric } from '../../../shared/contract/metrics.ts'
import { deliveryConcurrency } from '../../config.ts'
import type { MailQueue } from '../../queues/mail-queue.ts'
import type { MonitoredParts } from '../monitored-parts.ts'
import { graphRow } from './widgets.ts'

export const ingressRows = ({ config, ingress, metrics }: MonitoredParts): IWidget[][] => [
  graphRow(
    [
      'SMTP sessions in a task',
      [
        metrics.ingress(Metric.connections, { statistic: Stats.AVERAGE, label: 'Average' }),
        metrics.ingress(Metric.connections, { statistic: Stats.MAXIMUM, label: 'Maximum' }),
      ],
      { leftAnnotations: [{ value: config.ingress.maximumConnections, label: 'Limit' }] },
    ],
    [
      'Processor of the tasks, %',
      [
        ingress.service.metricCpuUtilization({ label: 'Average' }),
        ingress.service.metricCpuUtilization({ statistic: Stats.MAXIMUM, label: 'Maximum' }),
      ],
      { leftYAxis: { min: 0, max: 100 }, leftAnnotations: [{ value: 50, label: 'More tasks start' }] },
    ],
    [
      'Tasks',
      [
        ingress.loadBalancer.targets.metrics.healthyHostCount({ statistic: Stats.MAXIMUM, label: 'Healthy' }),
        ingress.loadBalancer.targets.metrics.unHealthyHostCount({
          statistic: Stats.MAXIMUM,
          label: 'Unhealthy',
        }),
      ],
      { leftAnnotations: [{ value: config.ingress.minimumTasks, label: 'Minimum' }] },
    ],
  ),
]

/** The queues with their labels, in the order of a message's path. */
export const labelledQueues = ({ queues }: MonitoredParts): [label: string, queue: MailQueue][] => [
  ['Evaluation', queues.evaluation],
  ['Authentication', queues.authentication],
  ['Delivery', queues.delivery],
  ['Delivery, unproven', queues.unprovenDelivery],
  ['Delivery, low priority', queues.lowPriorityDelivery],
  ['Bounce', queues.bounce],
  ['Events', queues.events],
]

export const queueRows = (parts: MonitoredParts): IWidget[][] => {
  const queues = labelledQueues(parts)
  return [
    graphRow(
      [
        'Jobs that are due',
        queues.map(([label, { queue }]) => queue.metricApproximateNumberOfMessagesVisible({ label })),
      ],
      [
        'Age of the oldest job, seconds',
        queues.map(([label, { queue }]) => queue.metricApproximateAgeOfOldestMessage({ label })),
      ],
      [
        'Dead letters',
        queues.map(([label, { deadLetters }]) =>
          deadLetters.metricApproximateNumberOfMessagesVisible({ label }),
        ),
      ],
    ),
  ]
}

export const functionRows = ({ config, functions }: MonitoredParts): IWidget[][] => {
  const handlers = Object.entries(functions)
  const { evaluate, authenticate, bounce } = config.functions
  const limits = {
    evaluate: evaluate.concurrency,
    authenticate: authenticate.concurrency,
    deliver: deliveryConcurrency(config),
    bounce: bounce.concurrency,
  }
  const ofQueues = handlers.filter(([label]) => label in limits)
  return [
    graphRow(
      ['Function errors', handlers.map(([label, handler]) => handler.metricErrors({ label }))],
      [
        'Function duration, p99, ms',
        handlers.map(([label, handler]) => handler.metricDuration({ label, statistic: 'p99' })),
      ],
      [
        'Concurrent invocations',
        ofQueues.map(([label, handler]) =>
          handler.metric('ConcurrentExecutions', { label, statistic: Stats.MAXIMUM }),
        ),
        {
          leftAnnotations: Object.entries(limits).map(([name, value]) => ({
            value,
            label: `Limit of ${name}`,
          })),
        },
      ],
    ),
  ]
}
