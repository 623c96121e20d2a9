/**
 * `npm run bench:thresholds`: the cost of untrusted input must not grow faster than the input. Each row measures an
 * input and an input four times as large in the same run, so that the machine and its other load affect both. Four
 * times the processor time is linear, sixteen times is quadratic. The command exits with 1 if a row is above its bound.
 */
import { execFileSync } from 'node:child_process'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { BoundedMap } from '../../functions/smtp-ingress/limits/bounded-map.ts'
import { waivesTls } from '../../shared/mail/waives-tls.ts'
import { encodeFrame, FrameReader } from '../../shared/net/dns/frames.ts'
import { decodeReply } from '../../shared/net/dns/message.ts'
import { parsePolicy } from '../../shared/net/mta-sts/policy.ts'
import { parseRecordId } from '../../shared/net/mta-sts/record.ts'
import { outboundWarnings } from '../../shared/policy/warnings/warnings.ts'
import { matchesTlsa } from '../../shared/tls/dane.ts'
import { statusInCrl } from '../../shared/tls/revocation/crl.ts'
import { readReportMail } from '../../shared/tls-reports/read-mail.ts'
import { inbound, outbound } from '../support/fixtures.ts'
import { createPki } from '../support/pki.ts'

interface Row {
  readonly name: string
  /** Size of the smaller input. */
  readonly size: number
  /**
   * Creates the input. This time is not measured.
   * @returns the work to measure
   */
  readonly createWork: (size: number) => () => unknown
  /** Maximum ratio of the cost of the larger input to the cost of the smaller one. */
  readonly bound?: number
}

/** How many times larger the larger input is. */
const growth = 4
/** A bound between 4 for linear work and 16 for quadratic work. */
const linear = 9
/** The bound for work that reads only a part of the input. */
const constant = 2.5

const text = (name: string, make: (size: number) => string): Row => ({
  name: `MTA-STS policy: 64 KB of ${name}`,
  size: 16_000,
  createWork: (size) => {
    const octets = Buffer.from(make(size))
    return () => parsePolicy(octets)
  },
})

const policy = ['version: STSv1', 'mode: enforce', 'max_age: 86400']

const policies: Row[] = [
  text('spaces', (size) => `${' '.repeat(size)}x`),
  text('spaces after a name', (size) => `mx:${' '.repeat(size)}x`),
  text('labels', (size) => `mx: ${'a.'.repeat(size / 2)}`),
  text('hyphens', (size) => `mx: ${'a-'.repeat(size / 2)}!`),
  text('hosts', (size) => [...policy, ...Array.from({ length: size / 7 }, (_, n) => `mx:${n}`)].join('\n')),
  text('ends of lines', (size) => '\n'.repeat(size)),
]

const mail = (name: string, size: number, make: (size: number) => string | Buffer): Row => ({
  name: `report mail: ${name}`,
  size,
  createWork: (size) => {
    const octets = Buffer.from(make(size))
    return () => readReportMail(octets)
  },
})

const mails: Row[] = [
  mail('a header without end', 250_000, (size) => `X: ${'a'.repeat(size)}\r\n\r\n`),
  mail('parts within parts', 500, (size) =>
    Array.from(
      { length: size },
      (_, level) => `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`,
    ).join(''),
  ),
  mail('lines without end', 250_000, (size) => Buffer.alloc(size, 'a\r\n')),
  mail('lists within lists', 25_000, (size) =>
    Buffer.concat([
      Buffer.from('Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n'),
      Buffer.from(gzipSync('['.repeat(size)).toString('base64')),
    ]),
  ),
]

/**
 * Creates a DNS reply whose first record holds a chain of name pointers, each to the pointer before it. The name of
 * each further record points to the end of the chain.
 */
function pointers(records: number): () => unknown {
  const question = Buffer.from('\x02mx\x07partner\x07example\x00\x00\x01\x00\x01', 'latin1')
  const record = (owner: number[], data: Buffer) =>
    Buffer.concat([
      // Owner, type 99, class IN, time to live of 1 second, length of the data.
      Buffer.from([...owner, 0, 99, 0, 1, 0, 0, 0, 1, data.length >> 8, data.length & 255]),
      data,
    ])
  const chain = Buffer.alloc(0x3000)
  const chainStart = 12 + question.length + 12
  // A pointer is 0xc000 and an offset in the message (RFC 1035 §4.1.4). The first points to the question's name at 12.
  for (let at = 0; at < chain.length; at += 2)
    chain.writeUInt16BE(0xc000 | (at === 0 ? 12 : chainStart + at - 2), at)
  const lastPointer = chainStart + chain.length - 2
  const laterRecords = Array.from({ length: records }, () =>
    record([0xc0 | (lastPointer >> 8), lastPointer & 255], Buffer.alloc(0)),
  )
  // The header: id, flags of a reply, one question, number of answers.
  const header = Buffer.alloc(12)
  for (const [at, value] of [0x1234, 0x8180, 1, records + 1].entries()) header.writeUInt16BE(value, at * 2)
  const octets = Buffer.concat([header, question, record([0xc0, 12], chain), ...laterRecords])
  return () => decodeReply(octets, 0x1234, { name: 'mx.partner.example', type: 'A' })
}

const host = 'mx.partner.example'
const root = await createPki('Root')
const unknownClient = await createPki('Unknown client')
const trustedPath = [(await root.issue({ names: [host] })).cert, root.ca].map(
  (pem) => new X509Certificate(pem),
)
const presentedChain = [
  ...trustedPath,
  ...Array.from({ length: 7 }, () => new X509Certificate(unknownClient.ca)),
]
const chain = presentedChain.map(({ raw }) => raw.toString('base64'))
const assessRecords = (records: Parameters<typeof matchesTlsa>[0]) => () =>
  matchesTlsa(records, chain, { subjectAltNames: [host], commonName: null }, [host], new Date())

const rows: Row[] = [
  ...policies,
  {
    name: 'MTA-STS record as large as DNS allows',
    size: 16_000,
    createWork: (size) => () => parseRecordId([`v=STSv1;${' '.repeat(size)}x`, `v=STSv1${' '.repeat(size)}`]),
  },
  ...mails,
  { name: 'DNS message: records whose names follow many pointers', size: 1_000, createWork: pointers },
  {
    name: 'DNS message: single octets',
    size: 16_000,
    createWork: (size) => {
      const frameOctets = [...encodeFrame(Buffer.alloc(size, 7))].map((octet) => Buffer.from([octet]))
      return () => {
        const frames = new FrameReader()
        for (const octet of frameOctets) frames.read(octet)
      }
    },
  },
  {
    name: 'TLS-Required: header lines without end',
    size: 250_000,
    createWork: (lines) => {
      const octets = Buffer.from(`TLS-Required: No\r\n${'ab\r\n'.repeat(lines)}`)
      return () => waivesTls(octets)
    },
    bound: constant,
  },
  {
    name: 'warnings: a connector among ten thousand',
    size: 2_500,
    createWork: (size) => {
      const otherConnectors = Array.from({ length: size }, (_, n) =>
        outbound({ name: `Partner ${n}`, recipientDomains: [`p${n}.example`, `*.p${n}.example`] }),
      )
      const all = {
        inbound: [inbound({ name: 'In', senderDomains: ['*'] })],
        outbound: otherConnectors,
        acceptedDomains: [{ domain: 'ours.example' }],
      }
      const wide = outbound({ name: 'All', recipientDomains: ['*'] })
      return () => outboundWarnings(wide, all, new Date())
    },
  },
  {
    name: 'DANE: records with digests',
    size: 375,
    createWork: (size) =>
      assessRecords(
        Array.from({ length: size }, (_, n) => ({
          usage: n % 2 ? 2 : 3,
          selector: n % 2 ? 0 : 1,
          matchingType: 1,
          data: createHash('sha256').update(`${n}`).digest('hex'),
        })),
      ),
  },
  {
    name: 'DANE: records with keys',
    size: 75,
    createWork: (size) =>
      assessRecords(
        Array.from({ length: size }, () => ({
          usage: 2,
          selector: 1,
          matchingType: 0,
          data: generateKeyPairSync('ed25519')
            .publicKey.export({ type: 'spki', format: 'der' })
            .toString('hex'),
        })),
      ),
  },
  {
    name: 'rates: keys that are used once',
    size: 250_000,
    createWork: (size) => () => {
      const memory = new BoundedMap<object>({ maxKeys: 1000 })
      for (let key = 0; key < size; key++) memory.getOrCreate(`${key}`, () => ({}))
    },
  },
  { name: 'CRL: revoked certificates', size: 25_000, createWork: revocations },
]

/** Creates a CRL with OpenSSL. */
function revocations(entries: number): () => unknown {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-crl-'))
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  try {
    run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'ca', '-subj', '/CN=Huge')
    const serial = (index: number) => (0x7a0000000000n + BigInt(index)).toString(16).toUpperCase()
    const lines = Array.from(
      { length: entries },
      (_, n) => `R\t300101000000Z\t260101000000Z,keyCompromise\t${serial(n)}\tunknown\t/CN=x${n}\n`,
    )
    writeFileSync(join(folder, 'index'), lines.join(''))
    writeFileSync(
      join(folder, 'cnf'),
      '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=7\n',
    )
    run('ca', '-config', 'cnf', '-gencrl', '-keyfile', 'key', '-cert', 'ca', '-out', 'pem')
    run('crl', '-in', 'pem', '-outform', 'DER', '-out', 'der')
    const octets = readFileSync(join(folder, 'der'))
    const certificate = new X509Certificate(readFileSync(join(folder, 'ca'), 'utf8'))
    return () => statusInCrl(octets, { certificate, issuer: certificate, at: new Date() })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Milliseconds of processor time below which the clock is too coarse. */
const minMeasurableMs = 20
const rounds = 5

/** @returns the smallest processor time of several rounds, in milliseconds */
async function cost(works: readonly (() => unknown)[]): Promise<number[]> {
  const minTimes = works.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < rounds; round++)
    for (const [index, work] of works.entries())
      minTimes[index] = Math.min(minTimes[index] ?? 0, await measureWork(work))
  return minTimes
}

async function measureWork(work: () => unknown): Promise<number> {
  for (let times = 1; ; times *= 2) {
    const startUsage = process.cpuUsage()
    for (let time = 0; time < times; time++) await work()
    const { user, system } = process.cpuUsage(startUsage)
    const durationMs = (user + system) / 1000
    if (durationMs >= minMeasurableMs) return durationMs / times
  }
}

for (const { name, size, createWork, bound = linear } of rows) {
  const [small = 0, large = 0] = await cost([createWork(size), createWork(size * growth)])
  const ratio = large / small
  const isGood = ratio <= bound
  if (!isGood) process.exitCode = 1
  process.stdout.write(
    `${isGood ? 'ok      ' : 'TOO MUCH'} ${ratio.toFixed(1).padStart(5)} of ${bound}  ${large.toFixed(2).padStart(8)} ms  ${name}\n`,
  )
}
