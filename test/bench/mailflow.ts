/** Starts the ingress for a benchmark, beside a store that responds after a fixed time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Identity, selfSigned } from '../support/pki.ts'
import { firstLine, freePort } from '../support/process.ts'

export interface Program {
  port: number
  pid: number
  stop(): Promise<void>
}

export interface Storage extends Program {
  /** File with the certificate of the storage. */
  authority: string
}

export interface IngressOptions {
  identity: Identity
  storage: Storage
  /** Number of concurrent sessions of the load. */
  connections: number
  /** Folder for the V8 CPU profile. */
  profile?: string | undefined
  /** Folder of the checkout to run; default: this checkout. */
  checkout?: string | undefined
  /** Default: the ingress as it is deployed. */
  program?: string
  /** A name server in the notation of `dnsServers`. */
  nameServer?: string
}

export const hostname = 'mx.ours.example'

const storageAddress = '127.0.0.1'

/** Sets limits per address that the load does not reach, although it comes from one address. */
export async function startIngress(options: IngressOptions): Promise<Program> {
  const endpoint = `https://${storageAddress}:${options.storage.port}`
  // Sessions of the previous load may still be closing.
  const sessions = String(2 * options.connections)
  const environment = {
    ...tlsEnvironment(options.identity),
    AWS_ENDPOINT_URL: endpoint,
    NODE_EXTRA_CA_CERTS: options.storage.authority,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    MAIL_HOSTNAME: hostname,
    DNS_SERVERS: options.nameServer ?? '',
    CONNECTORS_TABLE: 'connectors',
    CONTENT_BUCKET: 'content',
    TRANSPORT_TABLE: 'transport',
    EVALUATION_QUEUE_URL: `${endpoint}/000000000000/evaluation`,
    EVENTS_QUEUE_URL: `${endpoint}/000000000000/events`,
    LISTEN_ADDRESS: '127.0.0.1',
    MAX_CONNECTIONS: sessions,
    MAX_CONNECTIONS_PER_ADDRESS: sessions,
    MAX_CONNECTION_RATE_PER_ADDRESS: '0',
    MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: '0',
    DRAIN_SECONDS: '5',
    SMTP_PORT: String(await freePort()),
    HEALTH_PORT: String(await freePort()),
  }
  const profile = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : []
  return startProgram(options.program ?? 'functions/smtp-ingress/main.ts', {
    environment,
    flags: profile,
    folder: options.checkout,
  })
}

/**
 * Starts a store that is reached over TLS, as AWS's stores are.
 * @param publicRoot PEM of one more authority that the ingress trusts
 */
export async function startStorage(
  answersAfterMs: number,
  { inboundConnectors = [], publicRoot = '' }: { inboundConnectors?: object[]; publicRoot?: string } = {},
): Promise<Storage> {
  const identity = await selfSigned({ names: [], addresses: [storageAddress] })
  const folder = await mkdtemp(join(tmpdir(), 'bench-storage-'))
  const authority = join(folder, 'certificate.pem')
  await writeFile(authority, `${identity.cert}\n${publicRoot}`)
  const environment = { ...tlsEnvironment(identity), INBOUND_CONNECTORS: JSON.stringify(inboundConnectors) }
  const options = { args: [String(answersAfterMs)], environment }
  const program = await startProgram('test/bench/storage-stub.ts', options)
  const stop = async () => {
    await program.stop()
    await rm(folder, { recursive: true })
  }
  return { ...program, authority, stop }
}

/** smtp-server with the ingress's TLS options and no storage. */
export const startBare = (identity: Identity): Promise<Program> =>
  startProgram('test/bench/bare-server.ts', { environment: tlsEnvironment(identity) })

export const tlsEnvironment = ({ cert, key }: Identity) => ({ TLS_CERTIFICATE: cert, TLS_PRIVATE_KEY: key })

/** Starts a program whose first line names its port: a number, or an object with `smtpPort`. */
export async function startProgram(
  program: string,
  {
    environment = {},
    flags = [],
    args = [],
    folder,
  }: { environment?: Record<string, string>; flags?: string[]; args?: string[]; folder?: string | undefined },
): Promise<Program> {
  const child = spawn(process.execPath, [...flags, program, ...args], {
    env: { ...process.env, ...environment },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithThisProcess(child)
  const line = await firstLine(child).catch((error: Error) => {
    throw new Error(`${program} ${error.message}`)
  })
  return {
    port: Number(/^\d+$/.test(line) ? line : JSON.parse(line).smtpPort),
    pid: child.pid ?? 0,
    stop: () => stopProcess(child),
  }
}

/** Ends the child when this process ends, even if this process does not know the child's port yet. */
export function endWithThisProcess(child: ChildProcess): void {
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
}

/** Sends SIGTERM, and SIGKILL when the process does not end. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  const timeout = setTimeout(() => child.kill('SIGKILL'), 15_000)
  child.kill('SIGTERM')
  await exit
  clearTimeout(timeout)
}
