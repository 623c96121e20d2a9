/**
 * The deployed handler of deliver-message, in a process of its own. Arguments: endpoint of DynamoDB, endpoint of S3 and
 * SQS, port of the partner, messages per batch, batches. Prints one line of JSON: milliseconds of processor time for each
 * message, after as many batches to warm up, and the largest resident memory in MiB.
 */
import { hash } from 'node:crypto'
import type { ContentReference } from '../../shared/contract/message.ts'
import { opportunistic } from '../../shared/policy/outbound.ts'
import { deliverMessageVariables } from '../support/deliver-message.ts'
import { message, recipient } from '../support/fixtures.ts'
import { eventOfQueue, setEnvironment } from '../support/lambda.ts'
import { sampleMessage } from './load.ts'

const [database = '', storage = '', port, batchSize = '50', batches = '10'] = process.argv.slice(2)
const octets = sampleMessage(4096).subarray(0, -3)

setEnvironment(deliverMessageVariables(database, storage))
const { handler } = await import('../../functions/deliver-message/handler.ts')
const content: ContentReference = {
  ...{ bucket: 'content', key: 'segments/bench', offset: 0, length: octets.length },
  sha256: hash('sha256', octets),
}
await fetch(`${storage}/content/${content.key}`, { method: 'PUT', body: octets })

let serial = 0
const job = () => ({
  message: message({
    id: String(serial++).padStart(26, '0'),
    receivedAt: new Date().toISOString(),
    content,
  }),
  recipients: [recipient({ address: 'b@partner.example' })],
  destination: 'partner.example',
  route: { kind: 'SmartHosts', hosts: [{ host: '127.0.0.1', port: Number(port) }] },
  tls: { ...opportunistic, level: 'EncryptionOnly' },
  attempt: 1,
  connectorsVersion: 0,
})

async function deliver(): Promise<void> {
  const jobs = Array.from({ length: Number(batchSize) }, job)
  const { batchItemFailures } = await handler(eventOfQueue('delivery', ...jobs))
  if (batchItemFailures.length > 0) throw new Error('a job failed')
}

for (let batch = 0; batch < Number(batches); batch += 1) await deliver()
const before = process.cpuUsage()
for (let batch = 0; batch < Number(batches); batch += 1) await deliver()
const { user, system } = process.cpuUsage(before)
console.log(
  JSON.stringify({
    processorMs: (user + system) / 1000 / Number(batches) / Number(batchSize),
    memoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
)
process.exit()
