import { type Json, onlyResource } from './synthesis.ts'

/** The widgets of the synthesised dashboard. A value that CloudFormation inserts is the first name in it. */
export function dashboardWidgets(mailflow: Record<string, unknown> = {}): Json[] {
  const { DashboardBody: body } = onlyResource('AWS::CloudWatch::Dashboard', mailflow).Properties
  return JSON.parse(body['Fn::Join'][1].map(insertedValue).join('')).widgets
}

const insertedValue = (part: Json): string =>
  typeof part === 'string'
    ? part
    : (JSON.stringify(part).match(/"(?:Ref|Fn::GetAtt)":\[?"([^"]+)"/)?.[1] ?? '')
