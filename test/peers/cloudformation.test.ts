/**
 * The stack on moto, an AWS emulator by other authors. moto reads the synthesised template and the uploaded code of
 * the functions, resolves the references, and creates the resources that it supports. moto_resources.py creates those
 * that moto's services support but its CloudFormation does not, from the properties that moto resolved.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { buildApp } from '../../infra/create-app.ts'
import { assemble, deployments, type Json } from '../support/synthesis.ts'

/** Debian's own interpreter, which has python3-moto. */
const python = '/usr/bin/python3'

/** Resources that moto does not create. test/infra tests them. */
const unsupportedTypes = [
  'AWS::ApiGatewayV2::ApiMapping',
  'AWS::ApiGatewayV2::Authorizer',
  'AWS::ApiGatewayV2::DomainName',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::CloudFormation::CustomResource',
  'AWS::CloudFront::CachePolicy',
  'AWS::CloudFront::Distribution',
  'AWS::CloudFront::Function',
  'AWS::CloudWatch::Dashboard',
  'AWS::CloudWatch::InsightRule',
  'AWS::SES::ConfigurationSet',
]

/** moto's CloudFormation also needs python3-openapi-spec-validator, which python3-moto only recommends. */
const packages = 'python3-moto python3-openapi-spec-validator'
const isMotoInstalled = spawnSync(python, ['-c', 'import moto.cloudformation.parsing']).status === 0
const skip = isMotoInstalled || process.env.CI ? false : `moto is missing: apt-get install ${packages}`

const outdir = mkdtempSync(join(tmpdir(), 'mailflow-moto-'))
after(() => rmSync(outdir, { recursive: true, force: true }))

test("moto's CloudFormation creates the stack, and its functions have code and the URLs of their queues", {
  skip,
}, () => {
  buildApp({ outdir }).synth()
  const stack = create(outdir)
  assert.equal(stack.status, 'CREATE_COMPLETE')
  assert.equal(stack.functions.length, 16)
  assert.equal(stack.queues.length, 14)
  // Each function has the whole archive of its own.
  assert.deepEqual(stack.functions.map(({ codeSize }) => codeSize).toSorted(), stack.archives.toSorted())
  assert.ok(Math.min(...stack.archives) > 500_000, String(stack.archives))
  const queueUrls = stack.queues.map(({ url }) => url)
  for (const { runtime, environment } of stack.functions) {
    assert.equal(runtime, 'nodejs24.x')
    const urls = Object.entries(environment).filter(([name]) => name.endsWith('_QUEUE_URL'))
    for (const [name, url] of urls) assert.ok(queueUrls.includes(url), name)
  }
})

const alarmEmail = 'operator@example.net'
const missingTypes = new Set<string>()

/** moto has no `AWS::EC2::VPCCidrBlock`, from which subnets take their IPv6 networks. */
const withoutIpv6 = ({ ingress, ...settings }: Record<string, Json>): Record<string, Json> => ({
  ...settings,
  ingress: { ...ingress, ipv6: false },
})

for (const [name, settings] of Object.entries(deployments))
  describe(`a stack ${name}, with alarmEmail, on moto`, { skip }, () => {
    const mailflow: Record<string, unknown> = { ...withoutIpv6(settings), alarmEmail }
    let stack: CreatedStack
    test('is created, except for the resources that moto does not support', () => {
      const assembly = assemble(mailflow)
      stack = create(assembly.directory)
      assert.equal(stack.status, 'CREATE_COMPLETE')
      const resources = Object.entries<Json>(assembly.getStackByName('Mailflow').template.Resources)
      const missing = resources.filter(([id]) => !stack.created.includes(id)).map(([, { Type }]) => Type)
      for (const type of missing) missingTypes.add(type)
      assert.deepEqual(
        missing.filter((type) => !unsupportedTypes.includes(type)),
        [],
      )
    })

    test('has queues that refuse plain HTTP, each with a dead-letter queue of its own', () => {
      const byArn = new Map(stack.queues.map((queue) => [queue.QueueArn, queue]))
      const targets = stack.queues.flatMap(({ RedrivePolicy }) =>
        RedrivePolicy === undefined ? [] : [JSON.parse(RedrivePolicy).deadLetterTargetArn],
      )
      assert.equal(new Set(targets).size, 7)
      for (const arn of targets) assert.equal(byArn.get(arn)?.RedrivePolicy, undefined, arn)
      for (const { QueueArn, Policy } of stack.queues) {
        const [denial] = JSON.parse(Policy).Statement
        assert.deepEqual([denial.Effect, denial.Resource], ['Deny', QueueArn])
        assert.deepEqual(denial.Condition, { Bool: { 'aws:SecureTransport': 'false' } })
      }
    })

    test('has alarms that notify one topic, whose policy admits CloudWatch for this account', () => {
      assert.ok(stack.alarms.length >= 36)
      const actions = new Set(
        stack.alarms.flatMap(({ AlarmActions, OKActions }) => [...AlarmActions, ...OKActions]),
      )
      assert.equal(actions.size, 1)
      const [topic] = stack.topics.filter(({ TopicArn }) => actions.has(TopicArn))
      const statements: Json[] = JSON.parse(topic?.Policy ?? '{}').Statement
      const [allowed] = statements.filter(({ Effect }) => Effect === 'Allow')
      assert.deepEqual(allowed.Principal, { Service: 'cloudwatch.amazonaws.com' })
      assert.deepEqual(allowed.Condition, { StringEquals: { 'aws:SourceAccount': '123456789012' } })
      assert.equal(allowed.Resource, topic?.TopicArn)
    })

    test('mails alarms and notices to alarmEmail, and subscribes no address to the notices of certificates', () => {
      const subscribed = stack.topics.map(({ TopicArn, subscriptions }) => [
        TopicArn.replace(/^.*:Mailflow-(\w+?)[0-9A-F]{8}-.*$/, '$1'),
        ...subscriptions.map(({ Protocol, Endpoint }) => `${Protocol}:${Endpoint}`),
      ])
      assert.deepEqual(subscribed.sort(), [
        ['MonitoringTopic', `email:${alarmEmail}`],
        ['NoticesTopic', `email:${alarmEmail}`],
        ['RotationNotices'],
      ])
    })

    test('has tables, queues and buckets as the settings say', () => {
      const { encryptionKeyArn, deletionProtection = false } = mailflow
      assert.equal(stack.tables.length, 3)
      for (const table of stack.tables) {
        assert.equal(table.BillingModeSummary.BillingMode, 'PAY_PER_REQUEST')
        assert.equal(table.DeletionProtectionEnabled, deletionProtection)
      }
      for (const { url, KmsMasterKeyId } of stack.queues) assert.equal(KmsMasterKeyId, encryptionKeyArn, url)
      assert.equal(stack.buckets.length, 3)
      for (const { rules, Policy } of stack.buckets) {
        assert.equal(rules[0].ApplyServerSideEncryptionByDefault.KMSMasterKeyID, encryptionKeyArn)
        const effects = JSON.parse(Policy).Statement.map(({ Effect }: Json) => Effect)
        assert.deepEqual(effects, ['Deny', 'Deny'])
      }
    })
  })

test('moto creates every type of resource that is not in the list of unsupported types', { skip }, () => {
  assert.deepEqual([...missingTypes].sort(), unsupportedTypes)
})

interface CreatedStack {
  status: string
  created: string[]
  functions: { runtime: string; codeSize: number; environment: Record<string, string> }[]
  /** Attributes of the queues; policies are JSON. */
  queues: { url: string; QueueArn: string; Policy: string; RedrivePolicy?: string; KmsMasterKeyId?: string }[]
  topics: {
    TopicArn: string
    Policy: string
    subscriptions: { Protocol: string; Endpoint: string }[]
  }[]
  alarms: { AlarmActions: string[]; OKActions: string[] }[]
  tables: Json[]
  buckets: { rules: Json[]; Policy: string }[]
  /** Sizes in octets. */
  archives: number[]
}

function create(assembly: string): CreatedStack {
  const script = join(import.meta.dirname, 'cloudformation.py')
  return JSON.parse(
    execFileSync(python, [script, assembly], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 16 * 1024 * 1024,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    }),
  )
}
