/** Certificates that OpenSSL's command creates, with any key, digest and extension. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { host } from '../../../support/hostile-certificates.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'mailflow-chains-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Without a configuration of the system, and so without its default extensions. */
const config = join(folder, 'openssl.cnf')
writeFileSync(config, '[req]\ndistinguished_name=names\n[names]\n[partner]\nO=Partner\n')

export interface Issued {
  /** PEM. */
  cert: string
  key: string
  certFile: string
  keyFile: string
}

export interface Request {
  /** In OpenSSL's notation, such as `/O=Partner/CN=mail`. */
  subject?: string
  /** Arguments of -newkey, separated by spaces. Default: a key on P-256. */
  key?: string
  /** The certificate whose key is used again, for renewals and cross-signed authorities. */
  keyOf?: Issued
  /** Absent: self-signed. */
  by?: Issued
  /** Further arguments, separated by spaces, such as `-sha1`. */
  options?: string
  /** In OpenSSL's notation, such as `keyUsage=critical,keyCertSign`. */
  extensions?: readonly string[]
  days?: { from: number; to: number }
}

let count = 0

export async function issue(request: Request): Promise<Issued> {
  const { subject = '/CN=Test', key, keyOf, by, options, extensions = [], days } = request
  const name = join(folder, `${count++}`)
  const [certFile, keyFile] = [`${name}.crt`, keyOf?.keyFile ?? `${name}.key`]
  const { from, to } = days ?? { from: -1, to: 30 }
  await run('openssl', [
    ...['req', '-x509', '-config', config, '-nodes', '-subj', subject, '-out', certFile],
    ...['-not_before', timeText(from), '-not_after', timeText(to)],
    ...(keyOf
      ? ['-key', keyFile]
      : ['-newkey', ...(key ?? 'ec -pkeyopt ec_paramgen_curve:P-256').split(' '), '-keyout', keyFile]),
    ...(by ? ['-CA', by.certFile, '-CAkey', by.keyFile] : []),
    ...(options?.split(' ') ?? []),
    ...extensions.flatMap((extension) => ['-addext', extension]),
  ])
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
}

/** YYYYMMDDHHMMSSZ */
const timeText = (days: number): string =>
  `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/\D/g, '').slice(0, 14)}Z`

export interface AuthorityRequest extends Request {
  /** Values of these extensions; null omits the extension. */
  basicConstraints?: string | null
  keyUsage?: string | null
}

export const issueAuthority = ({
  basicConstraints = 'critical,CA:TRUE',
  keyUsage = 'critical,keyCertSign,cRLSign',
  extensions = [],
  ...request
}: AuthorityRequest): Promise<Issued> =>
  issue({
    subject: '/O=Partner/CN=Intermediate CA',
    ...request,
    extensions: [
      ...(basicConstraints === null ? [] : [`basicConstraints=${basicConstraints}`]),
      ...(keyUsage === null ? [] : [`keyUsage=${keyUsage}`]),
      ...extensions,
    ],
  })

export interface LeafRequest extends Request {
  /** The value of subjectAltName; null omits the extension. */
  names?: string | null
}

export const issueLeaf = ({
  names = `DNS:${host}`,
  extensions = [],
  ...request
}: LeafRequest): Promise<Issued> =>
  issue({
    subject: '/O=Partner/CN=mail',
    ...request,
    extensions: [
      'basicConstraints=CA:FALSE',
      ...(names === null ? [] : [`subjectAltName=${names}`]),
      ...extensions,
    ],
  })
