/**
 * The requests of one ingress task at several rates. Messages that arrive together share a PUT and a request to the
 * queue, so their number for each message depends on the rate. The task runs alone, beside a stub of S3, SQS and
 * DynamoDB in this process that answers as late as AWS.
 */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { acceptedEntry, connectorsAnswer, operationOf, type SqsEntry } from '../../support/aws-answers.ts'
import { selfSigned } from '../../support/pki.ts'
import { startIngress } from '../mailflow.ts'
import { latenciesMs } from './latencies.ts'
import type { IngressRates } from './recording.ts'
import { LoadSender } from './send-load.ts'

interface Counts {
  puts: number
  sends: number
}

/** A stub for startIngress, which counts requests. */
async function startCountingStorage(counts: Counts) {
  const identity = await selfSigned({ names: [], addresses: ['127.0.0.1'] })
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-bench-'))
  const authority = join(folder, 'certificate.pem')
  writeFileSync(authority, identity.cert)
  const server = createServer(identity, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const operation = operationOf(request)
    const service = operation === '' ? 's3' : operation === 'SendMessageBatch' ? 'sqs' : 'dynamodb'
    if (service === 's3') counts.puts += 1
    if (service === 'sqs') counts.sends += 1
    await delay(latenciesMs[service])
    response
      .writeHead(200, { etag: '"stub"' })
      .end(service === 's3' ? '' : answerTo(operation, Buffer.concat(chunks)))
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true })
  }
  return { port: (server.address() as AddressInfo).port, pid: process.pid, authority, stop }
}

function answerTo(operation: string, body: Buffer): string {
  const parsed = JSON.parse(body.toString())
  if (operation !== 'SendMessageBatch') return JSON.stringify(connectorsAnswer(operation, parsed, []))
  const entries: SqsEntry[] = parsed.Entries
  return JSON.stringify({ Successful: entries.map((entry) => acceptedEntry(entry)), Failed: [] })
}

/** Clock ticks in a second on Linux. */
const ticksPerSecond = 100

/** Milliseconds of processor time that a process has used. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

/** Enough sessions for a message to wait for none. */
const sessions = 96

export async function recordIngressRates(
  rates: readonly number[],
  seconds: number,
  messageOctets: number,
  progress: (line: string) => void,
): Promise<IngressRates> {
  const counts = { puts: 0, sends: 0 }
  const storage = await startCountingStorage(counts)
  const identity = await selfSigned({ names: ['mx.ours.example'] })
  const ingress = await startIngress({ identity, storage, connections: sessions })
  try {
    const target = {
      endpoints: { smtp: `127.0.0.1:${ingress.port}` },
      sender: 'a@elsewhere.example',
      recipientOf: (serial: number) => `user-${serial}@ours.example`,
    }
    const sender = await LoadSender.open(target, sessions, messageOctets)
    await sender.sendFor(3, 20)
    const recorded: IngressRates['rates'] = []
    for (const rate of rates) {
      const [before, sentBefore, cpuBefore] = [{ ...counts }, sender.sent, processorMs(ingress.pid)]
      const startedAt = performance.now()
      await sender.sendFor(seconds, rate)
      const messages = sender.sent - sentBefore
      recorded.push({
        messagesPerSecond: (messages * 1000) / (performance.now() - startedAt),
        putsPerMessage: (counts.puts - before.puts) / messages,
        sendsPerMessage: (counts.sends - before.sends) / messages,
        cpuMsPerMessage: (processorMs(ingress.pid) - cpuBefore) / messages,
      })
      progress(`ingress: ${JSON.stringify(recorded.at(-1))}`)
    }
    await sender.close()
    return { recordedAt: new Date().toISOString(), messageOctets, latenciesMs, rates: recorded }
  } finally {
    await ingress.stop()
    await storage.stop()
  }
}
