/**
 * Name servers by other authors. Knot DNS serves a zone that its own tool has signed, and an unsigned zone. Unbound
 * resolves names in both zones, and validates the signed zone by its key.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Identity } from '../pki.ts'

export const signedZone = 'signed.example'
export const unsignedZone = 'unsigned.example'
/** A zone below the signed zone. It has no zone file, so its server responds SERVFAIL. */
export const brokenZone = `_tcp.mx.broken.${signedZone}`

/** Records in the format of master files (RFC 1035 §5.1), relative to their zone. */
export interface Zones {
  signed: readonly string[]
  unsigned: readonly string[]
  /** Changes the signed zone's file after signing. Each line has one record with complete names. */
  forge: (line: string) => string
}

export interface NameServers {
  /** A resolver that reports why an answer does not validate (RFC 8914). */
  explaining: string
  /** A resolver that reports only the failure. */
  terse: string
  /** The first resolver, over TLS. */
  overTls: string
  stop(): Promise<void>
}

/** Daemons are in /usr/sbin, which is not in every user's path. */
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }

/** @param tls the certificate of the resolver that reports the reason, for `tls.name` */
export async function startNameServers(zones: Zones, tls: Identity & { name: string }): Promise<NameServers> {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-dns-'))
  const running: Daemon[] = []
  const stop = async () => {
    for (const daemon of running) await daemon.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const port = await freePort()
    const anchor = writeZones(folder, port, zones)
    running.push(await Daemon.start('knotd', ['-c', join(folder, 'knot.conf')], /server started/))
    writeFileSync(join(folder, 'tls.pem'), tls.cert)
    writeFileSync(join(folder, 'tls.key'), tls.key, { mode: 0o600 })
    const tlsPort = await freePort()
    const resolve = async (explaining: boolean): Promise<string> => {
      const own = await freePort()
      const file = join(folder, `unbound-${own}.conf`)
      const options = { folder, port: own, authority: port, anchor, explaining }
      writeFileSync(file, unbound({ ...options, tlsPort: explaining ? tlsPort : null }))
      running.push(await Daemon.start('unbound', ['-d', '-c', file], /start of service/))
      return `127.0.0.1:${own}`
    }
    const byTls = `tls://127.0.0.1:${tlsPort}#${tls.name}`
    return { explaining: await resolve(true), terse: await resolve(false), overTls: byTls, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** @returns the DS record of the signed zone */
function writeZones(folder: string, port: number, { signed, unsigned, forge }: Zones): string {
  for (const name of ['keys', 'run', 'unsigned', 'served']) mkdirSync(join(folder, name))
  const inFolder = (...path: string[]) => join(folder, ...path)
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, ['-c', inFolder('knot.conf'), ...args], {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  writeFileSync(inFolder('unsigned', `${signedZone}.zone`), masterFile(signedZone, signed))
  writeFileSync(inFolder('served', `${unsignedZone}.zone`), masterFile(unsignedZone, unsigned))
  writeFileSync(inFolder('knot.conf'), knot(folder, port, 'unsigned'))
  run('kzonesign', '-o', inFolder('signed'), signedZone)
  const [anchor = ''] = run('keymgr', signedZone, 'ds').split('\n')
  const lines = readFileSync(inFolder('signed', `${signedZone}.zone`), 'utf8').split('\n')
  writeFileSync(inFolder('served', `${signedZone}.zone`), lines.map(forge).join('\n'))
  writeFileSync(inFolder('knot.conf'), knot(folder, port, 'served'))
  return anchor
}

const masterFile = (origin: string, lines: readonly string[]): string =>
  [
    `$ORIGIN ${origin}.`,
    '$TTL 60',
    '@ SOA ns hostmaster 1 3600 600 86400 60',
    '@ NS ns',
    'ns A 127.0.0.1',
    ...lines,
    '',
  ].join('\n')

/** @param from the folder of the zone files: those to sign, or those to serve unchanged */
function knot(folder: string, port: number, from: 'unsigned' | 'served'): string {
  const own = (option: '-un' | '-gn') => execFileSync('id', [option], { encoding: 'utf8' }).trim()
  const zone = (domain: string) => `  - domain: ${domain}.\n    file: ${domain}.zone\n`
  return `server:
    rundir: ${join(folder, 'run')}
    user: ${own('-un')}:${own('-gn')}
    listen: 127.0.0.1@${port}
database:
    storage: ${join(folder, 'keys')}
log:
  - target: stdout
    any: info
policy:
  - id: one-key
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: ${join(folder, from)}
zone:
${zone(signedZone)}${from === 'unsigned' ? '    dnssec-policy: one-key\n' : zone(unsignedZone) + zone(brokenZone)}`
}

interface UnboundOptions {
  folder: string
  port: number
  authority: number
  anchor: string
  explaining: boolean
  /** Null when the resolver has no TLS. */
  tlsPort: number | null
}

/**
 * Only the signed zone has a trust anchor. All other zones are treated as unsigned. The resolver itself answers for the
 * parent of the zones, because it reaches no root server.
 */
function unbound({ folder, port, authority, anchor, explaining, tlsPort }: UnboundOptions): string {
  const stub = (zone: string) => `stub-zone:\n  name: ${zone}.\n  stub-addr: 127.0.0.1@${authority}\n`
  const tls = `  interface: 127.0.0.1@${tlsPort}
  tls-port: ${tlsPort}
  tls-service-pem: ${join(folder, 'tls.pem')}
  tls-service-key: ${join(folder, 'tls.key')}
`
  return `server:
  directory: ${join(folder, 'run')}
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1
  port: ${port}
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  ede: ${explaining ? 'yes' : 'no'}
  trust-anchor: "${anchor}"
  local-zone: "example." transparent
  local-data: "example. TXT none"
  local-data: "_dmarc.example. TXT none"
${tlsPort === null ? '' : tls}remote-control:
  control-enable: no
${[signedZone, unsignedZone, brokenZone].map(stub).join('')}`
}

class Daemon {
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
  }

  static async start(program: string, args: string[], ready: RegExp): Promise<Daemon> {
    const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    const log: string[] = []
    const started = new Promise<void>((resolve, reject) => {
      const hear = (line: string) => {
        log.push(line)
        if (ready.test(line)) resolve()
      }
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', hear)
      child.on('error', reject)
      child.on('exit', () => reject(new Error(`${program} ended:\n${log.join('\n')}`)))
    })
    await started
    return new Daemon(child)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await exited
  }
}

/** Finds a port that is free for both UDP and TCP. */
async function freePort(): Promise<number> {
  const tcp = createServer()
  const udp = createSocket('udp4')
  await once(tcp.listen(0, '127.0.0.1'), 'listening')
  const { port } = tcp.address() as AddressInfo
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  udp.close()
  await new Promise((closed) => tcp.close(closed))
  return port
}
