/**
 * Exports the certificates that ACM issues and renews. Attack: a private key leaks in transit, in a log or in memory.
 * Defence: keys are exported only when a certificate is new, each under a random passphrase that is used once, and are
 * written only to the secret. Not covered: a principal that may call ExportCertificate gets the keys.
 */
import { createPrivateKey, randomBytes } from 'node:crypto'
import { type ACMClient, ExportCertificateCommand, GetCertificateCommand } from '@aws-sdk/client-acm'
import type { CertificatesAndKeys } from '../../shared/tls/certificate-choice.ts'
import { certificatesIn } from '../../shared/tls/pem.ts'

export class AcmCertificates {
  readonly #acm: Pick<ACMClient, 'send'>
  readonly #arns: readonly string[]

  /** @param arns one certificate of each key type */
  constructor(acm: Pick<ACMClient, 'send'>, arns: readonly string[]) {
    this.#acm = acm
    this.#arns = arns
  }

  /** @returns the current certificates in PEM, without issuers and keys; empty when ACM has issued none */
  async currentCertificates(): Promise<string[]> {
    const responses = await Promise.all(
      this.#arns.map((CertificateArn) => this.#acm.send(new GetCertificateCommand({ CertificateArn }))),
    )
    return responses.flatMap(({ Certificate = '' }) => certificatesIn(Certificate).slice(0, 1))
  }

  async export(): Promise<CertificatesAndKeys> {
    const pairs = await Promise.all(this.#arns.map((arn) => this.#exportOne(arn)))
    return {
      certificate: pairs.map(({ certificate }) => certificate).join('\n'),
      privateKey: pairs.map(({ privateKey }) => privateKey).join('\n'),
    }
  }

  async #exportOne(arn: string): Promise<CertificatesAndKeys> {
    // ACM accepts printable characters except #, $ and %.
    const passphrase = randomBytes(32).toString('base64url')
    const response = await this.#acm.send(
      new ExportCertificateCommand({ CertificateArn: arn, Passphrase: Buffer.from(passphrase) }),
    )
    const { Certificate = '', CertificateChain = '', PrivateKey = '' } = response
    return {
      certificate: [Certificate, CertificateChain].map((pem) => pem.trim()).join('\n'),
      privateKey: decryptKey(PrivateKey, passphrase, arn),
    }
  }
}

/** @throws Error that contains nothing of the key */
function decryptKey(key: string, passphrase: string, arn: string): string {
  try {
    return createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString().trim()
  } catch {
    throw new Error(`the private key that ACM exported for ${arn} cannot be read`)
  }
}
