/**
 * Measures the delay of mail during an attack by tarpits. An unknown client sends messages from many domains to a
 * mailbox that does not exist. The DSN of each goes to a server that answers each command after fifty seconds. In the
 * same time the organisation sends to a partner with a connector, to a domain that has accepted mail before, and to
 * domains that never got any. The local runner has the default settings, and threads in place of concurrent functions.
 * Times run from the ingress's 250 to the end of data at the receiver.
 */
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { listen } from '../support/listen.ts'
import { Api, SmtpClient, startRunner, waitForResult } from '../support/local/runner.ts'
import { selfSigned } from '../support/pki.ts'
import { createSink } from './sink-server.ts'

const answerAfterMs = 50_000
const kinds = ['connector', 'proven', 'new'] as const
type Kind = (typeof kinds)[number]

export interface TarpitOptions {
  /** Numbers of domains that attack, a measurement each. */
  domains: readonly number[]
  /** Messages of each kind, one per second. */
  messages: number
}

/** Each run has its own runner, so that its queues hold no job of the previous run. */
export async function measureTarpits({ domains, messages }: TarpitOptions): Promise<string> {
  const rows: string[] = []
  for (const count of domains) {
    const times = await run(count, messages)
    rows.push(`| ${count} | ${kinds.map((kind) => cell(times[kind])).join(' | ')} |`)
    console.error(rows.at(-1))
  }
  return [
    `${messages} messages of each kind, one per second, after one message from each domain that hangs; milliseconds, p50 / p99`,
    '',
    `| domains that hang | ${kinds.join(' | ')} |`,
    '|---:|---:|---:|---:|',
    ...rows,
  ].join('\n')
}

const cell = (times: readonly number[]): string => {
  const sorted = [...times].sort((a, b) => a - b)
  const quantile = (part: number) => Math.round(sorted[Math.ceil(sorted.length * part) - 1] ?? 0)
  return `${quantile(0.5)} / ${quantile(0.99)}`
}

async function run(attackers: number, messages: number): Promise<Record<Kind, number[]>> {
  const arrivals = new Map<string, number>()
  const sink = createSink({
    tls: await selfSigned({ names: ['mx.example'] }),
    refusesRecipient: (line) => line.includes('unknown@'),
    onMessage: (message) => {
      const name = /^Subject: (\S+)/m.exec(message.toString('latin1'))?.[1]
      if (name) arrivals.set(name, performance.now())
    },
  })
  const tarpit = createServer((socket) => {
    const answer = (text: string) => setTimeout(() => socket.write(`${text}\r\n`), answerAfterMs).unref()
    answer('220 slow ESMTP')
    socket.on('data', () => answer('250 ok')).on('error', () => {})
  })
  const [sinkListening, tarpitListening] = [await listen(sink), await listen(tarpit)]
  const targets = [
    'ours.example',
    'partner.example',
    'proven.example',
    ...Array.from({ length: messages }, (_, n) => `new${n}.example`),
  ]
  const tarpits = Array.from({ length: attackers }, (_, n) => `d${n}.example`)
  const names = [
    ...targets.map((domain) => [domain, { MX: [[10, 'sink.example']] }]),
    ...tarpits.map((domain) => [domain, { MX: [[10, 'tarpit.example']] }]),
    ['sink.example', { A: ['127.0.1.1'] }],
    ...tarpits.map((domain, n) => [`mx.${domain}`, { A: [`127.1.${n >> 8}.${n & 255}`] }]),
  ]
  for (const [index, domain] of tarpits.entries())
    names[targets.length + index] = [domain, { MX: [[10, `mx.${domain}`]] }]
  const ports = [
    ['127.0.1.1', `127.0.0.1:${sinkListening.port}`],
    ...tarpits.map((_, n) => [`127.1.${n >> 8}.${n & 255}`, `127.0.0.1:${tarpitListening.port}`]),
  ]
  const zone = { names: Object.fromEntries(names), ports: Object.fromEntries(ports) }
  const runner = await startRunner(zone, ['--no-demo'])
  try {
    const api = new Api(runner.endpoints)
    await api.call('PUT', '/accepted-domains/ours.example', {})
    await api.create('inbound', {
      name: 'Mail server',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['127.0.0.1'],
      requireTls: false,
    })
    const outbound = { connectorType: 'Partner', tlsSettings: null }
    await api.create('outbound', {
      name: 'Mailboxes',
      recipientDomains: ['ours.example'],
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.1.1', port: 25 }],
      ...outbound,
    })
    await api.create('outbound', {
      name: 'Partner',
      recipientDomains: ['partner.example'],
      route: 'Mx',
      ...outbound,
    })
    const client = await SmtpClient.open(runner.endpoints)
    await sendBy(client, 'a@ours.example', 'b@proven.example', 'first')
    await waitForResult(() => (arrivals.has('first') ? true : null), 50, 60_000)
    // Long enough for the cached standing of the domain to expire.
    if (messages > 1) await delay(31_000)
    for (const [index, domain] of tarpits.entries()) {
      await sendBy(client, `x@${domain}`, 'unknown@ours.example', `attack${index}`)
      // Messages that arrive together share a worker.
      await delay(Math.min(200, 20_000 / attackers))
    }
    await delay(3_000)
    const sentAt = new Map<string, number>()
    const begin = performance.now()
    for (let number = 0; number < messages; number++) {
      await delay(Math.max(0, begin + number * 1000 - performance.now()))
      for (const kind of kinds) {
        const name = `${kind}${number}`
        await sendBy(client, 'a@ours.example', `b@${kind === 'new' ? name : domainOf(kind)}.example`, name)
        sentAt.set(name, performance.now())
      }
    }
    await waitForResult(
      () => ([...sentAt.keys()].every((name) => arrivals.has(name)) ? true : null),
      100,
      900_000,
    )
    const times = (kind: Kind) =>
      [...sentAt]
        .filter(([name]) => name.startsWith(kind))
        .map(([name, at]) => (arrivals.get(name) ?? 0) - at)
    return { connector: times('connector'), proven: times('proven'), new: times('new') }
  } finally {
    await runner.stop()
    await Promise.all([sinkListening.stop(), tarpitListening.stop()])
  }
}

const domainOf = (kind: Exclude<Kind, 'new'>): string => (kind === 'connector' ? 'partner' : 'proven')

async function sendBy(client: SmtpClient, from: string, to: string, name: string): Promise<void> {
  await client.command(`MAIL FROM:<${from}>`)
  await client.command(`RCPT TO:<${to}>`)
  await client.command('DATA')
  const reply = await client.command(`Subject: ${name}\r\n\r\n${'x'.repeat(2000)}\r\n.`)
  if (!reply.startsWith('250')) throw new Error(`unexpected reply of the ingress: ${reply}`)
}
