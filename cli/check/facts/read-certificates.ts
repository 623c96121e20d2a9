/** Reads certificates from a file: PEM, or a single certificate in DER. */
import { X509Certificate } from 'node:crypto'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import type { Io } from '../../command.ts'
import { CommandError } from '../../command-error.ts'
import { readOctets } from '../../input/read-file.ts'

/** Certificates in the file's order; never empty. */
export type CertificateChain = readonly [X509Certificate, ...X509Certificate[]]

/** Larger than any bundle of authorities. */
const maxFileOctets = 10 * 1024 * 1024

/**
 * Ignores other content, such as a private key.
 * @param name the file's name, or `-` for standard input
 * @throws CommandError naming the file and the unreadable certificate
 */
export async function readCertificates(name: string, io: Io): Promise<CertificateChain> {
  const octets = await readOctets(name, io)
  const displayName = name === '-' ? 'standard input' : name
  if (octets.length > maxFileOctets)
    throw new CommandError(`${displayName} is larger than ${maxFileOctets} octets`)
  const blocks = certificatesIn(octets.toString('latin1'))
  const [first, ...others] =
    blocks.length > 0 ? blocks.map(readPem(displayName)) : [readDer(octets, displayName)]
  if (first === undefined) throw noCertificateError(displayName)
  return [first, ...others]
}

const readPem = (displayName: string) => (block: string, index: number) => {
  try {
    return new X509Certificate(block)
  } catch {
    throw new CommandError(`${displayName}: cannot read PEM certificate ${index + 1}`)
  }
}

function readDer(octets: Buffer, displayName: string): X509Certificate {
  try {
    return new X509Certificate(octets)
  } catch {
    throw noCertificateError(displayName)
  }
}

/** Longer than any real chain. */
const maxChainLength = 20

/** @throws CommandError like readCertificates, and for more than `maxChainLength` certificates */
export async function readChain(name: string, io: Io): Promise<CertificateChain> {
  const chain = await readCertificates(name, io)
  if (chain.length > maxChainLength)
    throw new CommandError(
      `${name} contains ${chain.length} certificates; give one chain, leaf first, of at most ${maxChainLength}`,
    )
  return chain
}

const noCertificateError = (displayName: string): CommandError =>
  new CommandError(`${displayName} contains no PEM or DER certificate`)
