/**
 * Measures the TLS of a server by many handshakes, one after another: some servers limit the connections of an address.
 * Attack: a hostile server answers each hello differently, so that the measurement never ends. Defence: each answer
 * must select a value that was offered, which is then offered no more; octets and time of each answer are bounded. There
 * are about 400 values, so the time of all answers is bounded too.
 */
import type { Endpoint } from '../net/smtp/connection.ts'
import type { TlsServerFacts } from './facts.ts'
import {
  type Answer,
  type HelloOptions,
  readAnswer,
  type Selection,
  type Version,
  versions,
  writeClientHello,
} from './hello.ts'
import { type ProbeOptions, rejectOnClose, replyFrom, withStartTls, withTls } from './starttls.ts'
import { everyGroup, everySuite, groupName, suiteName } from './suite-names.ts'
import { ticketLimits } from './ticket.ts'

const sha256AndBetter = [
  0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501,
  0x0601, 0x0905, 0x0906, 0x0904,
]
/** ECDSA, RSA and DSA with each hash. */
const weakHashes = { 'SHA-1': [0x0203, 0x0201, 0x0202], 'SHA-224': [0x0303, 0x0301, 0x0302] } as const

/** A server that delays each greeting by five seconds needs half of this time. */
const maxTotalMs = 600_000

/**
 * Never rejects: a fact is null when a connection for it fails before the handshake.
 * @param totalMs after this time, the facts that are missing stay null
 */
export async function measureServer(
  endpoint: Endpoint,
  probe: ProbeOptions,
  totalMs = maxTotalMs,
): Promise<TlsServerFacts> {
  const { serverName, ehloName } = probe
  const base = { groups: everyGroup, signatures: sha256AndBetter, serverName }
  const endsAt = performance.now() + totalMs
  const bounded = async <T>(measure: (probe: ProbeOptions) => Promise<T>): Promise<T> => {
    const timeout = Math.min(probe.timeout, endsAt - performance.now())
    if (timeout <= 0) throw new Error('the time for all answers is over')
    return measure({ serverName, timeout, ehloName })
  }
  const send = (options: HelloOptions) => bounded((each) => exchangeHello(endpoint, each, options))
  const tls12 = { ...base, version: 'TLSv1.2', suites: everySuite.older } as const
  const tls13 = { ...base, version: 'TLSv1.3', suites: everySuite.tls13 } as const
  const hello = await orNull(send(tls12))
  const first = hello?.kind === 'Selected' ? hello : null
  const suites12 = await orNull(inOrder(everySuite.older, 'suite', (suites) => send({ ...tls12, suites })))
  return {
    versions: await orNull(acceptedVersions(send, base)),
    suites: {
      tls12: suites12?.map(({ suite }) => suiteName(suite)) ?? null,
      tls13: await named(
        suiteName,
        inOrder(everySuite.tls13, 'suite', (suites) => send({ ...tls13, suites })),
      ),
    },
    groups: {
      tls12: await named(
        groupName,
        inOrder(everyGroup, 'group', (groups) => send({ ...tls12, groups })),
      ),
      tls13: await named(
        groupName,
        inOrder(everyGroup, 'group', (groups) => send({ ...tls13, groups })),
      ),
    },
    serverOrderDecides: suites12 && (await orNull(serverOrderDecides(suites12, tls12, send))),
    dhBits: suites12 && Math.max(0, ...suites12.map(({ dhBits }) => dhBits ?? 0)),
    weakSignatures: await orNull(weakSignatures(tls12, send)),
    hello: first && { compression: first.compression !== 0, extensions: first.extensions },
    clientRenegotiation: first ? await orNull(bounded((each) => tryRenegotiation(endpoint, each))) : null,
    ticket: await orNull(bounded((each) => readTicket(endpoint, each))),
    certificate: null,
  }
}

type Send = (options: HelloOptions) => Promise<Answer>

const orNull = <T>(measurement: Promise<T>): Promise<T | null> => measurement.catch(() => null)

const maxAnswerOctets = 65_536

/** Rejects when the server does not accept STARTTLS, or does not answer in time. */
const exchangeHello = (endpoint: Endpoint, probe: ProbeOptions, options: HelloOptions): Promise<Answer> =>
  withStartTls(endpoint, probe, async (socket) => {
    socket.write(writeClientHello(options))
    let octets = Buffer.alloc(0)
    const closed = rejectOnClose(socket).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ETIMEDOUT') throw error
      return null
    })
    for (;;) {
      const chunk = await Promise.race([nextChunk(socket), closed])
      if (chunk) octets = Buffer.concat([octets, chunk])
      const answer = readAnswer(octets)
      if (answer.kind !== 'Incomplete') return answer
      if (chunk === null || octets.length > maxAnswerOctets) return { kind: 'Refused' }
    }
  })

const nextChunk = (socket: NodeJS.ReadableStream): Promise<Buffer> =>
  new Promise((resolve) => void socket.once('data', (chunk) => resolve(chunk as Buffer)))

async function acceptedVersions(
  send: Send,
  base: Omit<HelloOptions, 'version' | 'suites'>,
): Promise<Version[]> {
  const accepted: Version[] = []
  for (const version of Object.keys(versions) as Version[]) {
    const suites = version === 'TLSv1.3' ? everySuite.tls13 : everySuite.older
    const answer = await send({ ...base, version, suites })
    if (answer.kind === 'Selected' && answer.version === versions[version]) accepted.push(version)
  }
  return accepted
}

/** Finds the server's order: offers the values without those that it has selected, until it refuses. */
async function inOrder(
  values: readonly number[],
  field: 'suite' | 'group',
  send: (values: number[]) => Promise<Answer>,
): Promise<Selection[]> {
  const selections: Selection[] = []
  const offered = new Set(values)
  while (offered.size > 0) {
    const answer = await send([...offered])
    if (answer.kind !== 'Selected') break
    const value = answer[field]
    if (value === null || !offered.delete(value)) break
    selections.push(answer)
  }
  return selections
}

async function named(
  name: (number: number) => string,
  found: Promise<Selection[]>,
): Promise<string[] | null> {
  const selections = await orNull(found)
  return selections?.map(({ suite, group }) => name(name === suiteName ? suite : (group ?? 0))) ?? null
}

async function serverOrderDecides(
  selections: readonly Selection[],
  tls12: HelloOptions,
  send: Send,
): Promise<boolean | null> {
  const suites = selections.map(({ suite }) => suite)
  if (suites.length < 2) return null
  const answer = await send({ ...tls12, suites: suites.toReversed() })
  return answer.kind === 'Selected' && answer.suite === suites[0]
}

/** Some servers ignore the client's list and sign with a better hash: only the used hash counts. */
async function weakSignatures(tls12: HelloOptions, send: Send): Promise<('SHA-1' | 'SHA-224')[]> {
  const accepted: ('SHA-1' | 'SHA-224')[] = []
  for (const hash of ['SHA-1', 'SHA-224'] as const) {
    const signatures: readonly number[] = weakHashes[hash]
    const answer = await send({ ...tls12, signatures })
    if (answer.kind === 'Selected' && answer.signature !== null && signatures.includes(answer.signature))
      accepted.push(hash)
  }
  return accepted
}

const tryRenegotiation = (endpoint: Endpoint, probe: ProbeOptions): Promise<'Accepted' | 'Refused'> =>
  withTls(
    endpoint,
    probe,
    { maxVersion: 'TLSv1.2' },
    () => {},
    (tls) =>
      new Promise((resolve) => {
        tls.once('close', () => resolve('Refused'))
        tls.once('error', () => resolve('Refused'))
        tls.renegotiate({}, (error) => resolve(error ? 'Refused' : 'Accepted'))
      }),
  )

/** The tickets arrive before the reply to EHLO. Rejects without a ticket. */
const readTicket = (endpoint: Endpoint, probe: ProbeOptions) => {
  let session: Buffer | null = null
  return withTls(
    endpoint,
    probe,
    { minVersion: 'TLSv1.3' },
    (tls) =>
      tls.on('session', (ticket) => {
        session = ticket
      }),
    async (tls) => {
      tls.write(`EHLO ${probe.ehloName}\r\n`)
      await Promise.race([replyFrom(tls), rejectOnClose(tls)])
      if (session === null) throw new Error('no ticket')
      return ticketLimits(session)
    },
  )
}
