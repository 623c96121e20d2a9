/**
 * The stack on moto, an AWS emulator by other authors. moto reads the synthesised template and the uploaded code of
 * the functions, resolves the references, and creates the resources that it supports.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { buildApp } from '../../infra/create-app.ts'
import { existingVpc, type Json } from '../support/synthesis.ts'

/** Debian's own interpreter, which has python3-moto. */
const python = '/usr/bin/python3'

/** Resources that moto does not create. test/infra tests them. */
const unsupportedTypes = [
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::ApplicationAutoScaling::ScalableTarget',
  'AWS::ApplicationAutoScaling::ScalingPolicy',
  'AWS::CloudFormation::CustomResource',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::CloudWatch::InsightRule',
  'AWS::ElasticLoadBalancingV2::Listener',
  'AWS::ElasticLoadBalancingV2::LoadBalancer',
  'AWS::S3::BucketPolicy',
  'AWS::SES::ConfigurationSet',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
]

/** moto's CloudFormation also needs python3-openapi-spec-validator, which python3-moto only recommends. */
const packages = 'python3-moto python3-openapi-spec-validator'
const isMotoInstalled = spawnSync(python, ['-c', 'import moto.cloudformation.parsing']).status === 0
const skip = isMotoInstalled || process.env.CI ? false : `moto is missing: apt-get install ${packages}`

const folder = mkdtempSync(join(tmpdir(), 'mailflow-moto-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const rows: [where: string, mailflow: Record<string, unknown>][] = [
  ['in a VPC of its own', {}],
  ['in an existing VPC', { network: { existingVpc }, defaultRoute: 'Mx' }],
]

for (const [where, mailflow] of rows)
  test(
    `moto's CloudFormation creates the stack ${where}, and its functions have code and the URLs of their queues`,
    {
      skip,
    },
    () => verifyStack(mailflow),
  )

function verifyStack(mailflow: Record<string, unknown>): void {
  const outdir = mkdtempSync(join(folder, 'assembly-'))
  const types = synthesise(outdir, mailflow)
  const stack = create(outdir)
  assert.equal(stack.status, 'CREATE_COMPLETE')
  const missingIds = Object.keys(types).filter((id) => !stack.created.includes(id))
  assert.deepEqual([...new Set(missingIds.map((id) => types[id]))].sort(), unsupportedTypes)
  assert.equal(stack.functions.length, 9)
  assert.equal(stack.queues.length, 10)
  // Each function has the whole archive of its own.
  assert.deepEqual(stack.functions.map(({ codeSize }) => codeSize).toSorted(), stack.archives.toSorted())
  assert.ok(Math.min(...stack.archives) > 500_000, String(stack.archives))
  for (const { runtime, environment } of stack.functions) {
    assert.equal(runtime, 'nodejs24.x')
    const urls = Object.entries(environment).filter(([name]) => name.endsWith('_QUEUE_URL'))
    for (const [name, url] of urls) assert.ok(stack.queues.includes(url), name)
  }
}

/** @returns the type of each resource, by logical id */
function synthesise(outdir: string, mailflow: Record<string, unknown>): Record<string, string> {
  const { template } = buildApp({ outdir, mailflow }).synth().getStackByName('Mailflow')
  const resources = Object.entries<Json>(template.Resources)
  return Object.fromEntries(resources.map(([id, { Type }]) => [id, Type]))
}

interface CreatedStack {
  status: string
  created: string[]
  functions: { runtime: string; codeSize: number; environment: Record<string, string> }[]
  queues: string[]
  /** Sizes in octets. */
  archives: number[]
}

function create(outdir: string): CreatedStack {
  const script = join(import.meta.dirname, 'cloudformation.py')
  return JSON.parse(
    execFileSync(python, [script, outdir], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  )
}
