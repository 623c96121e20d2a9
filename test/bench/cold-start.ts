/**
 * Measures the cold start of the Lambda functions: `npm run bench:cold-start [-- --starts N]`. Bundles each function as
 * the stack does. Prints the size of the bundle, the median times in which a new process loads it, and the ten packages
 * with the most code in it. `later` is the size of the modules that are loaded on first use. The last column names the
 * goals that a function misses. Loading makes no request. The command always exits with 0.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bundle, bundle, packageOf, units } from '../support/bundles.ts'
import { load, machine } from './machine.ts'
import { median } from './median.ts'

const { values } = parseArgs({ options: { starts: { type: 'string', default: '15' } } })
const starts = Number(values.starts)

const goals = { octets: 1_000_000, milliseconds: 60 }

/** Values for every variable that a function requires. */
const environment = {
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_LAMBDA_FUNCTION_NAME: 'measured',
  MAIL_HOSTNAME: 'mail.example.com',
  DEFAULT_ROUTE: 'Ses',
  DELIVERS_IN_VPC: 'false',
  ORGANISATION: 'Example',
  CONTACT_ADDRESS: 'postmaster@example.com',
  TLS_REPORTER_ORGANISATION: 'Example',
  TLS_REPORTER_ADDRESS: 'reports@example.com',
  CONTENT_BUCKET: 'content',
  ...valuesFor('name', ['CONNECTORS_TABLE', 'MESSAGES_TABLE', 'TRANSPORT_TABLE']),
  ...valuesFor('set', ['SES_CONFIGURATION_SET_REQUIRE_TLS', 'SES_CONFIGURATION_SET_OPTIONAL_TLS']),
  ...valuesFor('https://sqs.eu-west-1.amazonaws.com/123456789012/queue', [
    'EVALUATION_QUEUE_URL',
    'EVENTS_QUEUE_URL',
    'AUTHENTICATION_QUEUE_URL',
    'DELIVERY_QUEUE_URL',
    'UNPROVEN_DELIVERY_QUEUE_URL',
    'LOW_PRIORITY_DELIVERY_QUEUE_URL',
    'BOUNCE_QUEUE_URL',
    'EVALUATION_DEAD_LETTERS_URL',
    'AUTHENTICATION_DEAD_LETTERS_URL',
    'DELIVERY_DEAD_LETTERS_URL',
    'UNPROVEN_DELIVERY_DEAD_LETTERS_URL',
    'LOW_PRIORITY_DELIVERY_DEAD_LETTERS_URL',
    'BOUNCE_DEAD_LETTERS_URL',
  ]),
  ...valuesFor('arn:aws:sns:eu-west-1:123456789012:topic', [
    'NOTICES_TOPIC_ARN',
    'CERTIFICATE_NOTICES_TOPIC_ARN',
    'TLS_SECRET_ARN',
  ]),
}

function valuesFor(value: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, value]))
}

/** Loads the bundle as Lambda does, and prints the milliseconds: wall time and processor time. */
const program = `
  const before = process.cpuUsage(), startedAt = performance.now()
  require(process.argv[1])
  const wall = performance.now() - startedAt, { user, system } = process.cpuUsage(before)
  process.stdout.write(JSON.stringify({ wall, processor: (user + system) / 1000 }), () => process.exit(0))`

interface Start {
  readonly wall: number
  readonly processor: number
}

function start({ unit, path }: Bundle): Start {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', program, path], {
    env: environment,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${unit} does not load: ${stderr}`)
  return JSON.parse(stdout)
}

const kilobytes = (octets: number): string => (octets / 1000).toFixed(0)

function topPackages({ sources }: Bundle): string {
  const sizes = new Map<string, number>()
  for (const [source, size] of sources)
    sizes.set(packageOf(source), (sizes.get(packageOf(source)) ?? 0) + size)
  const top = [...sizes].sort(([, first], [, second]) => second - first).slice(0, 10)
  return top.map(([name, size]) => `${name} ${kilobytes(size)}`).join(', ')
}

const folder = mkdtempSync(join(tmpdir(), 'mailflow-bench-'))
try {
  const bundles = units.map((unit) => bundle(unit, folder))
  const times = new Map(bundles.map(({ unit }) => [unit, [] as Start[]]))
  for (let round = 0; round < starts; round++)
    for (const each of bundles) times.get(each.unit)?.push(start(each))
  console.log(`${machine()}, load ${load()}, medians of ${starts} starts\n`)
  console.log('| Function | KB | later KB | ms | processor ms | top ten packages, KB | above |')
  console.log('|---|---:|---:|---:|---:|---|---|')
  for (const each of bundles) {
    const medianOf = (field: keyof Start) => median((times.get(each.unit) ?? []).map((time) => time[field]))
    const missed = [
      ...(each.size > goals.octets ? ['1 MB'] : []),
      ...(medianOf('wall') > goals.milliseconds ? [`${goals.milliseconds} ms`] : []),
    ]
    console.log(
      `| ${each.unit} | ${kilobytes(each.size)} | ${kilobytes(each.laterSize)} | ${medianOf('wall').toFixed(0)} | ${medianOf('processor').toFixed(0)} | ${topPackages(each)} | ${missed.join(', ')} |`,
    )
  }
} finally {
  rmSync(folder, { recursive: true })
}
