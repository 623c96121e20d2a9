/** Certificates in a file, in PEM or as a single one in DER. */
import { X509Certificate } from 'node:crypto'
import { certificatesIn } from '../../../shared/tls/pem.ts'
import type { World } from '../../command.ts'
import { Fault } from '../../faults.ts'
import { readOctets } from '../../input/read-file.ts'

/** In the order of the file; never empty. */
export type CertificateChain = readonly [X509Certificate, ...X509Certificate[]]

/** Octets; far above any bundle of authorities. */
const largestFile = 10 * 1024 * 1024

/**
 * @param name of a file, or `-` for standard input
 * @returns at least one, in the order of the file; whatever else is in it, such as a private key, is passed over
 * @throws Fault naming the file, and which of its certificates cannot be read
 */
export async function readCertificates(name: string, world: World): Promise<CertificateChain> {
  const octets = await readOctets(name, world)
  const shown = name === '-' ? 'standard input' : name
  if (octets.length > largestFile) throw new Fault(`${shown} is larger than ${largestFile} octets`)
  const blocks = certificatesIn(octets.toString('latin1'))
  const [first, ...others] = blocks.length > 0 ? blocks.map(readPem(shown)) : [readDer(octets, shown)]
  if (first === undefined) throw noCertificate(shown)
  return [first, ...others]
}

const readPem = (shown: string) => (block: string, index: number) => {
  try {
    return new X509Certificate(block)
  } catch {
    throw new Fault(`${shown}: certificate ${index + 1} in PEM cannot be read`)
  }
}

function readDer(octets: Buffer, shown: string): X509Certificate {
  try {
    return new X509Certificate(octets)
  } catch {
    throw noCertificate(shown)
  }
}

/** More than any chain needs. */
const longestChain = 20

/** @throws Fault as readCertificates, and for a file that holds no chain but a collection */
export async function readChain(name: string, world: World): Promise<CertificateChain> {
  const chain = await readCertificates(name, world)
  if (chain.length > longestChain)
    throw new Fault(
      `${name} holds ${chain.length} certificates; a chain has ${longestChain} at most, leaf first`,
    )
  return chain
}

const noCertificate = (shown: string): Fault => new Fault(`${shown} holds no certificate in PEM or DER`)
