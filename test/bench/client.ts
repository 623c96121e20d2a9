/**
 * Measures the outbound SMTP client alone: `npm run bench:client [-- --rounds N --seconds N --only clear|tls --postfix
 * --before DIR --profile]`. Each session carries one message after another. In the clear the server is Postfix's
 * smtp-sink, which accepts DATA; over verified TLS it is sink-server.ts, without and with CHUNKING. `--postfix` also
 * measures Postfix's own client, `--before` also the client of another checkout; all alternate. `--profile` shows
 * instead where the client spends its processor time. Prints Markdown tables. Only figures of one run can be compared.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PostfixClient } from './client-postfix.ts'
import { ClientProcess } from './client-process.ts'
import { formatTimes, originNames, timesByOrigin } from './client-profile.ts'
import { type Cell, type Column, measureRates } from './client-rates.ts'
import {
  pauses,
  type Register,
  type ServerPorts,
  startClearServer,
  startTlsServers,
} from './client-servers.ts'
import { load, machine } from './machine.ts'
import { postfixVersion } from './postfix.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    postfix: { type: 'boolean', default: false },
    before: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
})
const rounds = { rounds: Number(values.rounds), seconds: Number(values.seconds) }
const durationMs = rounds.seconds * 1000

const running: { stop(): Promise<void> }[] = []
const register: Register = (program) => {
  running.push(program)
  return program
}

const clients = [
  register(new ClientProcess('client', join(import.meta.dirname, '../..'))),
  ...(values.before === undefined ? [] : [register(new ClientProcess('client before', values.before))]),
]

try {
  const isSelected = (name: string) => values.only === undefined || values.only === name
  const clear = isSelected('clear') ? await startClearServer(register) : null
  const tls = isSelected('tls') ? await startTlsServers(register) : null
  if (values.profile) {
    console.log(await profile(clear, tls))
  } else {
    if (clear) console.log(`${await measureClear(clear)}\n`)
    if (tls) console.log(`${await measureTls(tls)}\n`)
  }
  console.log(
    `\n${machine()}, load average at the end ${load()}; ${rounds.rounds} rounds of ${rounds.seconds} s, medians`,
  )
} finally {
  for (const program of running.reverse()) await program.stop()
}

function columnOf(client: ClientProcess, { ports, ca }: ServerPorts, title = client.title): Column {
  return {
    title,
    async measure({ pauseMs, sessions, kilobytes }: Cell) {
      const port = ports[pauseMs]
      const result = await client.run({ port, ca, sessions, kilobytes, durationMs, isProfiled: false })
      return result.messages / (result.milliseconds / 1000)
    },
  }
}

async function measureClear(server: Awaited<ReturnType<typeof startClearServer>>): Promise<string> {
  const columns = clients.map((client) => columnOf(client, server))
  if (values.postfix) columns.push(await postfixColumn(server))
  const [first, ...others] = columns as [Column, ...Column[]]
  return measureRates(
    {
      title: 'In the clear, DATA, to smtp-sink',
      columns,
      ratios: others.map((other) => [first, other] as const),
    },
    rounds,
  )
}

async function postfixColumn({ ports, sink }: Awaited<ReturnType<typeof startClearServer>>): Promise<Column> {
  const destinations = pauses.flatMap((pauseMs) =>
    [1, 4].map((sessions) => ({ port: ports[pauseMs], sessions })),
  )
  const postfix = register(await PostfixClient.start(destinations, sink))
  return {
    title: `Postfix ${postfixVersion()}`,
    measure: ({ pauseMs, sessions, kilobytes }, messages) =>
      postfix.measure({ port: ports[pauseMs], sessions }, kilobytes, messages),
  }
}

async function measureTls({ data, chunking }: Awaited<ReturnType<typeof startTlsServers>>): Promise<string> {
  const pairs = clients.map((client) => [
    columnOf(client, data, `${client.title}, DATA`),
    columnOf(client, chunking, `${client.title}, CHUNKING announced`),
  ]) as [Column, Column][]
  const [[ownData, ownChunking], [otherData, otherChunking] = []] = pairs as [
    [Column, Column],
    [Column, Column]?,
  ]
  return measureRates(
    {
      title: 'Over TLS',
      columns: pairs.flat(),
      ratios: [
        [ownChunking, ownData],
        ...(otherData && otherChunking
          ? ([
              [ownData, otherData],
              [ownChunking, otherChunking],
            ] as const)
          : []),
      ],
    },
    rounds,
  )
}

/** One session without a pause, so that the client is never idle for long. */
async function profile(
  clear: ServerPorts | null,
  tls: Awaited<ReturnType<typeof startTlsServers>> | null,
): Promise<string> {
  const servers = {
    ...(clear && { 'in the clear, DATA': clear }),
    ...(tls && { 'TLS, DATA': tls.data, 'TLS, CHUNKING announced': tls.chunking }),
  }
  const titles = ['load', 'client', ...Object.values(originNames), 'all', 'processor time']
  const rows: string[] = []
  for (const [name, { ports, ca }] of Object.entries(servers))
    for (const kilobytes of [4, 50])
      for (const client of clients) {
        const order = { port: ports[0], ca, sessions: 1, kilobytes, durationMs }
        await client.run({ ...order, isProfiled: false })
        const profiled = await client.run({ ...order, isProfiled: true })
        const plain = await client.run({ ...order, isProfiled: false })
        if (!profiled.profile) continue
        const times = formatTimes(timesByOrigin(profiled.profile), profiled.messages)
        const processor = (plain.processor / plain.messages).toFixed(0)
        rows.push(`| ${[`${kilobytes} KB, ${name}`, client.title, ...times, processor].join(' | ')} |`)
      }
  return [
    'Microseconds for each message: self time by origin, with its share, and processor time in a run without a profile.',
    '',
    `| ${titles.join(' | ')} |`,
    `|---|---|${titles
      .slice(2)
      .map(() => '---:|')
      .join('')}`,
    ...rows,
  ].join('\n')
}
