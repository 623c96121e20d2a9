/** Tests `doctor` against a server that answers as Service Quotas and Amazon SES do. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import { mailflow } from '../../support/cli/mailflow.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-doctor-'))
const settings = (mailflow: object): string => {
  const file = join(folder, 'cdk.json')
  const required = {
    hostname: 'mail.ours.example',
    tlsSecretArn: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls-AbCdEf',
  }
  writeFileSync(file, JSON.stringify({ context: { mailflow: { ...required, ...mailflow } } }))
  return file
}

type Answer = { status?: number; body: object }
/** The quotas by code that the account changed, and those that it did not. */
let changed: Record<string, number>
let defaults: Record<string, number>
let account: Answer
let taskSetting: Answer
let requests: IncomingMessage[]
let server: Server
let url: string
const environment = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' }
const saved = { ...process.env }

before(async () => {
  Object.assign(process.env, environment)
  server = createServer(async (request, response) => {
    requests.push(request)
    const { status = 200, body } = await answerTo(request)
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.close()
  for (const name of Object.keys(environment)) delete process.env[name]
  Object.assign(process.env, saved)
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  requests = []
  changed = { 'L-B99A9384': 1000, 'L-3032A538': 100 }
  defaults = { 'L-0263D0A3': 5, 'L-F678F1CE': 5, 'L-A4707A72': 5, 'L-FE5A380F': 5 }
  account = { body: { ProductionAccessEnabled: true, SendingEnabled: true } }
})

async function answerTo(request: IncomingMessage): Promise<Answer> {
  if (request.url === '/v2/email/account') return account
  const target = String(request.headers['x-amz-target'])
  if (target !== 'AmazonEC2ContainerServiceV20141113.ListAccountSettings') return quotaAnswer(request)
  assert.deepEqual(await json(request), { name: 'dualStackIPv6', effectiveSettings: true })
  return taskSetting
}

async function quotaAnswer(request: IncomingMessage): Promise<Answer> {
  const { QuotaCode: code } = (await json(request)) as { QuotaCode: string }
  const isDefault = String(request.headers['x-amz-target']).endsWith('.GetAWSDefaultServiceQuota')
  const value = (isDefault ? defaults : changed)[code]
  return value === undefined
    ? { status: 400, body: { __type: 'NoSuchResourceException', Message: 'The request failed' } }
    : { body: { Quota: { QuotaCode: code, Value: value } } }
}

const doctor = (options: object, ...args: string[]) =>
  mailflow(['doctor', '--settings', settings(options), ...args], {
    env: {
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL_SERVICE_QUOTAS: url,
      AWS_ENDPOINT_URL_SESV2: url,
      AWS_ENDPOINT_URL_ECS: url,
    },
  })
const linesWith = (out: string, result: string) => out.split('\n').filter((line) => line.startsWith(result))

describe('doctor with credentials', () => {
  test('finds the quotas of an account that has enough, changed or not', async () => {
    const { status, out, err } = await doctor({ defaultRoute: 'Mx' })
    assert.deepEqual([status, err], [0, ''])
    assert.equal(linesWith(out, 'OK').length, 7)
    assert.match(out, /^OK {4}EC2: EC2-VPC Elastic IPs \(L-0263D0A3\) +4 needed, the account has 5$/m)
    assert.match(out, /^\? {5}Outbound port 25 +needed for deliveries to MX hosts/m)
  })

  test('reads the settings of the environment that --env names', async () => {
    const options = { environments: { prod: { defaultRoute: 'Mx' } } }
    const addresses = /Elastic IPs \(L-0263D0A3\) +(\d) needed/
    assert.equal((await doctor(options)).out.match(addresses)?.[1], '2')
    assert.equal((await doctor(options, '--env', 'prod')).out.match(addresses)?.[1], '4')
    const { status, err } = await doctor(options, '--env', 'test')
    assert.equal(status, 1)
    assert.match(err, /"test" is no environment of mailflow\.environments in .*, which has: prod/)
  })

  test('signs each request for its service and Region', async () => {
    await doctor({})
    const scopes = requests.map(({ headers }) => /Credential=(\S+),/.exec(String(headers.authorization))?.[1])
    assert.ok(scopes.some((scope) => scope?.endsWith('/eu-west-1/servicequotas/aws4_request')))
    assert.ok(scopes.some((scope) => scope?.endsWith('/eu-west-1/ses/aws4_request')))
    assert.ok(scopes.every((scope) => scope?.startsWith('AKIDEXAMPLE/')))
  })

  test('exits with 1 for a quota that is too low, and prints the request for a higher one', async () => {
    changed = { 'L-B99A9384': 10, 'L-3032A538': 6 }
    const { status, out } = await doctor({ ingress: { cpu: 512 } })
    assert.equal(status, 1)
    assert.match(
      out,
      /^LOW {3}Fargate: .* 10 needed, the account has 6: .* --service-code fargate --quota-code L-3032A538 --desired-value 10$/m,
    )
    assert.equal(linesWith(out, 'LOW').length, 2)
  })

  const accounts: { name: string; route: string; answer: Answer; line: RegExp; status: number }[] = [
    {
      name: 'in the sandbox, with route Ses',
      route: 'Ses',
      answer: { body: { ProductionAccessEnabled: false, SendingEnabled: true } },
      line: /^LOW {3}Amazon SES.* the account is in the sandbox/m,
      status: 1,
    },
    {
      name: 'in the sandbox, with route Mx',
      route: 'Mx',
      answer: { body: { ProductionAccessEnabled: false, SendingEnabled: true } },
      line: /^\? {5}Amazon SES.* the account is in the sandbox.*; only connectors with route Ses need it$/m,
      status: 0,
    },
    {
      name: 'whose sending is paused',
      route: 'Ses',
      answer: { body: { ProductionAccessEnabled: true, SendingEnabled: false } },
      line: /^LOW {3}Amazon SES.* sending is paused/m,
      status: 1,
    },
    {
      name: 'that the principal may not read',
      route: 'Ses',
      answer: { status: 403, body: { __type: 'AccessDeniedException', message: 'not authorized\u001b[2J' } },
      line: /^\? {5}Amazon SES.*; not read: 403 AccessDeniedException: not authorized\?\[2J$/m,
      status: 0,
    },
    {
      name: 'with an unexpected answer',
      route: 'Ses',
      answer: { body: [] },
      line: /^\? {5}Amazon SES.*; not read: an unexpected answer$/m,
      status: 0,
    },
  ]
  for (const { name, route, answer, line, status: expected } of accounts)
    test(`reports an account ${name}`, async () => {
      account = answer
      const { status, out } = await doctor({ defaultRoute: route })
      assert.match(out, line)
      assert.equal(status, expected)
    })

  const taskSettings: { name: string; answer: Answer; line: RegExp; status: number }[] = [
    {
      name: 'enabled',
      answer: { body: { settings: [{ name: 'dualStackIPv6', value: 'enabled' }] } },
      line: /^OK {4}ECS: account setting dualStackIPv6 +enabled$/m,
      status: 0,
    },
    {
      name: 'disabled',
      answer: { body: { settings: [{ name: 'dualStackIPv6', value: 'disabled' }] } },
      line: /^LOW {3}ECS: .*, and disabled: .*: aws ecs put-account-setting-default --name dualStackIPv6 --value enabled$/m,
      status: 1,
    },
    {
      name: 'not readable',
      answer: { status: 400, body: { __type: 'AccessDeniedException', message: 'not authorized' } },
      line: /^\? {5}ECS: .* needed for ingress\.ipv6; not read: 400 AccessDeniedException: not authorized$/m,
      status: 0,
    },
  ]
  for (const { name, answer, line, status: expected } of taskSettings)
    test(`reports with ipv6 that the ECS setting for IPv6 is ${name}`, async () => {
      taskSetting = answer
      const { status, out } = await doctor({ ingress: { ipv6: true } })
      assert.match(out, line)
      assert.equal(status, expected)
    })

  test('asks ECS only with ipv6', async () => {
    const { out } = await doctor({})
    assert.doesNotMatch(out, /ECS/)
  })

  test('says why a quota is unknown, when Service Quotas does not know it or cannot be reached', async () => {
    defaults = {}
    const { status, out } = await doctor({})
    assert.equal(status, 0)
    assert.match(
      out,
      /^\? {5}VPC: VPCs per Region \(L-F678F1CE\) +1 needed; not read: 400 NoSuchResourceException: /m,
    )
  })

  test('prints JSON', async () => {
    const { out } = await doctor({}, '--json')
    assert.deepEqual(Object.keys(JSON.parse(out)[0]), ['result', 'name', 'text'])
  })
})

describe('doctor without a Region', () => {
  test('prints what the settings need, and sends nothing', async () => {
    const { status, out, err } = await mailflow(['doctor', '--settings', settings({ ingress: { cpu: 512 } })])
    assert.deepEqual([status, requests.length], [0, 0])
    assert.match(err, /^The account was not read: no region; give --region or AWS_REGION\.\n$/)
    assert.match(out, /^\? {5}Fargate: .* 10 needed; the usual quota is 6, with which fewer ingress tasks/m)
  })
})

describe('doctor with faulty settings', () => {
  const rows: { name: string; content: string; err: RegExp }[] = [
    {
      name: 'an invalid setting',
      content: '{"context":{"mailflow":{"hostname":"x"}}}',
      err: /settings\.json context: mailflow\.hostname: /,
    },
    { name: 'no settings', content: '{}', err: /settings\.json context: mailflow: / },
    { name: 'broken JSON', content: '{', err: /settings\.json is not JSON: / },
  ]
  for (const { name, content, err } of rows)
    test(`ends with an error that names the fault of ${name}`, async () => {
      const file = join(folder, 'settings.json')
      writeFileSync(file, content)
      const result = await mailflow(['doctor', '--settings', file])
      assert.equal(result.status, 1)
      assert.match(result.err, err)
    })

  test('names the file that is missing', async () => {
    const { status, err } = await mailflow(['doctor', '--settings', '/none'])
    assert.deepEqual([status, err], [1, 'mailflow: cannot read /none: no such file\n'])
  })
})
