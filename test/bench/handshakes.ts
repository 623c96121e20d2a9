/**
 * What the TLS handshakes of a client cost the ingress, by kind of the client's chain, and how long other clients wait
 * for the greeting meanwhile: `npm run bench:handshakes [-- --handshakes N --before DIR]`. Each handshake of the first
 * column comes from an address of its own; those of the second all come from one address. `--before` measures another
 * checkout instead. Prints a Markdown table.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { parseArgs } from 'node:util'
import { type Identity, selfSigned } from '../support/pki.ts'
import { load, machine } from './machine.ts'
import { hostname, type Program, startIngress, startStorage } from './mailflow.ts'
import { median } from './median.ts'
import { processorSeconds } from './process-tree.ts'

const { values } = parseArgs({
  options: { handshakes: { type: 'string', default: '20' }, before: { type: 'string' } },
})
const handshakes = Number(values.handshakes)
/** The ingress waits this long before its greeting. */
const greetingDelayMs = 100

/** `openssl req -newkey` arguments of each CA; the client's own key is one that TLS 1.3 knows. */
const p256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const kinds: [name: string, newKey: string[], issuers: number][] = [
  ['no certificate', [], -1],
  ['P-256, one sub-CA', p256, 1],
  ['RSA 2048, one sub-CA', ['rsa:2048'], 1],
  ['RSA 4096, four sub-CAs', ['rsa:4096'], 4],
  ['sect571r1, twenty sub-CAs', ['ec', '-pkeyopt', 'ec_paramgen_curve:sect571r1'], 20],
  ['sect571r1, 94 sub-CAs', ['ec', '-pkeyopt', 'ec_paramgen_curve:sect571r1'], 94],
]

const running: { stop(): Promise<void> }[] = []
try {
  const storage = await startStorage(10)
  running.push(storage)
  const ingress = await startIngress({
    identity: await selfSigned({ names: [hostname] }),
    storage,
    connections: 500,
    checkout: values.before,
  })
  running.push(ingress)
  const rows: string[] = []
  for (const [name, newKey, issuers] of kinds) {
    const identity = issuers < 0 ? null : createChain(newKey, issuers)
    const octets = identity === null ? 0 : chainOctets(identity)
    const apart = await costs(ingress, identity, (number) => `127.${rows.length + 2}.1.${number + 1}`)
    const together = await costs(ingress, identity, () => `127.${rows.length + 2}.2.1`)
    const greeting = await greetingDuring(ingress, identity, `127.${rows.length + 2}.3.1`)
    rows.push(`| ${name} | ${octets} | ${apart} | ${together} | ${greeting} |`)
    console.error(rows.at(-1))
  }
  console.log(
    [
      `${machine()}, load average at the end ${load()}; ${handshakes} handshakes each; means.`,
      '',
      "| the client's chain | octets | ms of the processor, new addresses | one address, from the second handshake | greeting of others meanwhile, p50 / max |",
      '|---|---:|---:|---:|---:|',
      ...rows,
    ].join('\n'),
  )
} finally {
  for (const program of running.reverse()) await program.stop()
}

/** Creates a chain whose root is not sent. */
function createChain(newKey: string[], issuers: number): Identity {
  const folder = mkdtempSync(join(tmpdir(), 'bench-chain-'))
  const file = (name: string) => join(folder, name)
  const leafKey = newKey.at(-1)?.includes('sect571') ? p256 : newKey
  const create = (number: number, isAuthority: boolean) => {
    const issuer = number === 0 ? [] : ['-CA', file(`${number - 1}.pem`), '-CAkey', file(`${number - 1}.key`)]
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          ...(isAuthority ? newKey : leafKey),
          '-nodes',
          '-days',
          '30',
          '-subj',
          `/CN=n${number}`,
        ],
        ...['-keyout', file(`${number}.key`), '-out', file(`${number}.pem`), ...issuer],
        ...['-addext', `basicConstraints=critical,CA:${isAuthority}`],
      ],
      { stdio: 'ignore' },
    )
  }
  try {
    for (let number = 0; number <= issuers; number++) create(number, true)
    create(issuers + 1, false)
    const numbers = Array.from({ length: issuers + 1 }, (_, index) => issuers + 1 - index)
    return {
      cert: numbers.map((number) => readFileSync(file(`${number}.pem`), 'utf8')).join(''),
      key: readFileSync(file(`${issuers + 1}.key`), 'utf8'),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function chainOctets({ cert }: Identity): number {
  return cert
    .split('-----END CERTIFICATE-----')
    .map((pem) => Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64').length)
    .reduce((sum, length) => sum + length, 0)
}

/** @returns the mean milliseconds of the ingress's processor for one session with a handshake */
async function costs(
  { port, pid }: Program,
  identity: Identity | null,
  address: (number: number) => string,
): Promise<string> {
  const times: number[] = []
  for (let number = 0; number <= handshakes; number++) {
    const before = processorSeconds(pid)
    await handshake(port, identity, address(number))
    await delay(20)
    if (number > 0) times.push((processorSeconds(pid) - before) * 1000)
  }
  return (times.reduce((sum, ms) => sum + ms, 0) / times.length).toFixed(1)
}

/** Makes 3.4 handshakes a second from one address. @returns how long others wait for the greeting */
async function greetingDuring(ingress: Program, identity: Identity | null, from: string): Promise<string> {
  const times: number[] = []
  let isOver = false
  const attack = (async () => {
    while (!isOver) {
      void handshake(ingress.port, identity, from)
      await delay(1000 / 3.4)
    }
  })()
  for (let number = 0; number < 40; number++) {
    const begin = performance.now()
    const socket = connect({ port: ingress.port, host: '127.0.0.1', localAddress: '127.9.9.9' })
    await reply(socket, /^220 /m)
    times.push(performance.now() - begin - greetingDelayMs)
    socket.destroy()
    await delay(100)
  }
  isOver = true
  await attack
  return `${median(times).toFixed(0)} / ${Math.max(...times).toFixed(0)} ms`
}

/** Resolves when the handshake has succeeded or failed. */
async function handshake(port: number, identity: Identity | null, from: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  try {
    await reply(socket, /^220 /m)
    socket.write('EHLO client.example\r\n')
    await reply(socket, /^250 /m)
    socket.write('STARTTLS\r\n')
    await reply(socket, /^220 /m)
    await new Promise<void>((resolve) => {
      const tls = connectTls({ socket, rejectUnauthorized: false, ...identity }, () => tls.write('NOOP\r\n'))
      tls.once('data', () => resolve())
      tls.once('error', () => resolve())
      tls.once('close', () => resolve())
    })
  } finally {
    socket.destroy()
  }
}

async function reply(socket: Socket, pattern: RegExp): Promise<void> {
  let text = ''
  await new Promise<void>((resolve, reject) => {
    const onData = (octets: Buffer) => {
      text += octets
      if (!pattern.test(text)) return
      socket.off('data', onData)
      resolve()
    }
    socket.on('data', onData)
    socket.once('close', () => reject(new Error(`closed after ${text}`)))
  })
}
