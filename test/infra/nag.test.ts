import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type App, type Stack, Validations } from 'aws-cdk-lib'
import { CfnBucket } from 'aws-cdk-lib/aws-s3'
import { AwsSolutionsChecks } from 'cdk-nag'
import { buildApp } from '../../infra/create-app.ts'
import { deployments, templateOnly } from '../support/synthesis.ts'

for (const [name, mailflow] of Object.entries(deployments)) {
  test(`the AwsSolutions rules report no open finding in a deployment ${name}`, () => {
    assert.deepEqual(findings(build(mailflow)), [])
  })
}

test('the AwsSolutions rules report a bucket that neither requires TLS nor has an access log', () => {
  const app = build({})
  new CfnBucket(app.node.findChild('Mailflow') as Stack, 'Open')
  assert.deepEqual(findings(app), ['AwsSolutions-S1 at Mailflow/Open', 'AwsSolutions-S10 at Mailflow/Open'])
})

test('each suppressed finding has a reason that is a sentence', () => {
  const accepted = Object.values(deployments).flatMap((mailflow) => acknowledgements(build(mailflow)))
  assert.notEqual(accepted.length, 0)
  for (const [rule, reason] of accepted) assert.match(reason, /^\S.{20,}\.$/, rule)
})

function build(mailflow: Record<string, unknown>): App {
  return buildApp({ mailflow, ...templateOnly })
}

function findings(app: App): string[] {
  const { violations } = new AwsSolutionsChecks(app).validateScope(app)
  return violations
    .flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} at ${constructPath}`),
    )
    .sort()
}

function acknowledgements(app: App): [rule: string, reason: string][] {
  return app.node
    .findAll()
    .flatMap((construct) => construct.node.metadata)
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.entries<string>(data))
    .filter(([rule]) => rule.includes('AwsSolutions'))
}
