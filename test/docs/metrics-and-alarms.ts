import { runbookSection } from '../../shared/contract/alarms.ts'
import { Metric, metricNamespace } from '../../shared/contract/metrics.ts'
import { deployments, resourcesOfType } from '../support/synthesis.ts'
import { docComments, parseComment } from './doc-comments.ts'
import { code, page, table } from './markdown.ts'

const comments = docComments('shared/contract/metrics.ts')

/** Deployments have different alarms; each alarm is listed once. */
const alarms = new Map(
  Object.values(deployments).flatMap((mailflow) =>
    resourcesOfType('AWS::CloudWatch::Alarm', mailflow).map(({ Properties }): [string, string] => [
      Properties.AlarmName.replace('Mailflow: ', ''),
      Properties.AlarmDescription.split(' What to do: ')[0],
    ]),
  ),
)

export const metricsAndAlarmsPage = (): string =>
  page(
    'Metrics and alarms',
    '`shared/contract/metrics.ts` and the synthesised stack',
    '## Metrics',
    `Namespace ${code(metricNamespace)}. The dimension \`stack\` is the stack's name. Functions add the dimension \`service\`, the function's name. A metric is a sum unless it is a gauge.`,
    table(
      ['Metric', 'Meaning'],
      Object.entries(Metric).map(([key, name]) => [
        code(name),
        parseComment(comments.get(`Metric.${key}`)).text,
      ]),
    ),
    '## Alarms',
    "An alarm's name begins with the stack's name.",
    table(
      ['Alarm', 'Impact'],
      [...alarms].map(([title, impact]) => [
        `[${title}](../${runbookSection(title).replace(/^docs\//, '')})`,
        impact,
      ]),
    ),
  )
