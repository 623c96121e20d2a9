/** Parts that several sections of the dashboard use. */
import { Aws } from 'aws-cdk-lib'
import {
  type CfnInsightRule,
  ConcreteWidget,
  GraphWidget,
  type GraphWidgetProps,
  type IMetric,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { MailMetrics } from '../../mail-metrics.ts'

/** Columns of a dashboard. */
export const columns = 24

export type MailMetric = MailMetrics['ingress']

type Graph = readonly [title: string, left: IMetric[], options?: GraphWidgetProps]

/** A row of graphs of one width. */
export const graphRow = (...graphs: Graph[]): GraphWidget[] =>
  graphs.map(
    ([title, left, options]) => new GraphWidget({ title, left, width: columns / graphs.length, ...options }),
  )

export const heading = (text: string): TextWidget =>
  new TextWidget({ markdown: `## ${text}`, width: columns, height: 1 })

/**
 * Returns one metric per value of the dimension.
 * @param labels the values, each with its label
 */
export const metricsByDimension = (
  metric: MailMetric,
  name: string,
  dimension: string,
  labels: Readonly<Record<string, string>>,
): IMetric[] =>
  Object.entries(labels).map(([value, label]) =>
    metric(name, { dimensionsMap: { [dimension]: value }, label }),
  )

export interface TopContributorsProps {
  readonly title: string
  readonly rule: CfnInsightRule
  readonly width: number
}

/** The ten largest contributors of a rule of Contributor Insights. CDK has no widget for such a rule. */
export class TopContributors extends ConcreteWidget {
  private readonly props: TopContributorsProps

  constructor(props: TopContributorsProps) {
    super(props.width, 6)
    this.props = props
  }

  override toJson(): object[] {
    const { title, rule } = this.props
    const properties = {
      title,
      insightRule: { maxContributorCount: 10, orderBy: 'Sum', ruleName: rule.attrRuleName },
      view: 'timeSeries',
      legend: { position: 'bottom' },
      period: 300,
      region: Aws.REGION,
    }
    return [{ type: 'metric', width: this.width, height: this.height, x: this.x, y: this.y, properties }]
  }
}
