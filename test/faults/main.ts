/**
 * Tests that no accepted message is lost. The ingress runs in its own process, with a storage that simulates every
 * fault of a network, and is killed repeatedly. A client sends each message until it gets 250. Then the client's view
 * is compared with the stored data: `npm run test:faults [-- --messages N --seed N --kills N --sessions N]`. Exits with
 * 1 when anything is missing, wrong, or stored twice without a reason.
 */
import { parseArgs } from 'node:util'
import { selfSigned } from '../support/pki.ts'
import { freePort } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { type Comparison, compareWithStorage } from './compare.ts'
import { IngressProcess } from './ingress-process.ts'
import { Ledger } from './ledger.ts'
import { contentOf } from './mail.ts'
import { FaultPlan } from './plan.ts'
import { Sender } from './sender.ts'
import { FaultyStorage } from './storage.ts'
import { StoredData } from './stored-data.ts'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    kills: { type: 'string', default: '10' },
    sessions: { type: 'string', default: '64' },
  },
})
const [messages, seed, kills, sessions] = (['messages', 'seed', 'kills', 'sessions'] as const).map((name) =>
  wholeNumber(name, values[name]),
) as [number, number, number, number]

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text) || (name === 'seed' && /^\d{1,10}$/.test(text))) return Number(text)
  process.stderr.write(`--${name}: ${text} is not an integer\n`)
  process.exit(2)
}

console.log(`seed ${seed}: ${messages} messages, ${sessions} sessions, ${kills} kills`)

const storedData = new StoredData()
const storage = await FaultyStorage.start(storedData, new FaultPlan(seed))
const { cert, key } = await selfSigned({ names: ['mx.ours.example'] })
const port = await freePort()
const ingress = new IngressProcess({
  TLS_CERTIFICATE: cert,
  TLS_PRIVATE_KEY: key,
  AWS_ENDPOINT_URL: storage.endpoint,
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'faults',
  AWS_SECRET_ACCESS_KEY: 'faults',
  MAIL_HOSTNAME: 'mx.ours.example',
  CONNECTORS_TABLE: 'connectors',
  TRANSPORT_TABLE: 'transport',
  CONTENT_BUCKET: 'content',
  EVALUATION_QUEUE_URL: `${storage.endpoint}/000000000000/evaluation`,
  EVENTS_QUEUE_URL: `${storage.endpoint}/000000000000/events`,
  LISTEN_ADDRESS: '127.0.0.1',
  SMTP_PORT: String(port),
  HEALTH_PORT: String(await freePort()),
  MAX_CONNECTIONS: String(4 * sessions),
  MAX_CONNECTIONS_PER_ADDRESS: String(4 * sessions),
  MAX_CONNECTION_RATE_PER_ADDRESS: '0',
  MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: '0',
  DRAIN_SECONDS: '30',
})
const began = performance.now()
const ledger = new Ledger()
const killPoints = chooseKillPoints()
let killing: Promise<void> = Promise.resolve()
const sender = new Sender({ port, seed, messages, sessions, ledger, onProgress })

await ingress.start()
await sender.run()
await killing
storage.isCalm = true
const code = await ingress.stop()
await storage.stop()
const evaluation = compareWithStorage({
  messages,
  ledger,
  storedData,
  kills: ingress.kills,
  contentOf: (message) => contentOf(seed, message),
})
evaluation.findings.push(...ingress.findings)
if (code !== 0) evaluation.findings.push(`the ingress ended with ${code} on SIGTERM`)
if (ingress.kills.length < kills) evaluation.findings.push(`only ${ingress.kills.length} kills took place`)
console.log(report(evaluation))
process.exit(evaluation.findings.length === 0 ? 0 : 1)

/** @returns for each kill, in order, the number of completed messages after which it happens */
function chooseKillPoints(): number[] {
  const random = new Random(seed, 5)
  return Array.from({ length: kills }, (_, index) =>
    Math.floor(((index + random.number()) * messages) / kills),
  )
}

function onProgress(done: number): void {
  if (done % 10_000 === 0) console.log(`${done} after ${seconds()} s`)
  if (killPoints[0] === undefined || done < killPoints[0]) return
  killPoints.shift()
  killing = killing.then(() => ingress.killAndStart())
}

function seconds(): string {
  return ((performance.now() - began) / 1000).toFixed(0)
}

function report({ findings, accepted, duplicates, tries }: Comparison): string {
  const sorted = (counts: ReadonlyMap<string, number>) =>
    [...counts].sort(([first], [second]) => first.localeCompare(second))
  const rows = [
    ['messages sent and accepted', `${accepted} of ${messages}`],
    ['seconds', seconds()],
    ['kills', String(ingress.kills.length)],
    ...sorted(tries).map(([kind, count]) => [`tries: ${kind}`, String(count)]),
    ['sessions refused or closed before a message', String(sender.refusedSessions)],
    ...sorted(storage.faults).map(([fault, count]) => [`faults: ${fault}`, String(count)]),
    ['jobs', String(storedData.jobs.length)],
    ...sorted(duplicates).map(([cause, count]) => [`duplicates: ${cause}`, String(count)]),
    ['findings', String(findings.length)],
  ]
  const width = Math.max(...rows.map(([name = '']) => name.length))
  const table = rows.map(([name = '', value = '']) => `${name.padEnd(width)}  ${value.padStart(9)}`)
  return [...table, ...findings.slice(0, 50)].join('\n')
}
