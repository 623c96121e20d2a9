/**
 * Certificates that ACM issues and renews. The attack: a private key on its way, in a log or in somebody's memory. The
 * defence: a key is exported only where its certificate is news, under a passphrase that is made for it and forgotten,
 * and is written nowhere but into the secret. The limit: who may call ExportCertificate has the key.
 */
import { createPrivateKey, randomBytes } from 'node:crypto'
import { type ACMClient, ExportCertificateCommand, GetCertificateCommand } from '@aws-sdk/client-acm'
import type { CertificatesAndKeys } from '../../shared/tls/certificate-choice.ts'
import { certificatesIn } from '../../shared/tls/pem.ts'

export class AcmCertificates {
  readonly #acm: Pick<ACMClient, 'send'>
  readonly #arns: readonly string[]

  /** @param arns one of each kind */
  constructor(acm: Pick<ACMClient, 'send'>, arns: readonly string[]) {
    this.#acm = acm
    this.#arns = arns
  }

  /** @returns the certificates as they are now, PEM, without issuers and keys; none where ACM has none of ours */
  async issued(): Promise<string[]> {
    const answers = await Promise.all(
      this.#arns.map((CertificateArn) => this.#acm.send(new GetCertificateCommand({ CertificateArn }))),
    )
    return answers.flatMap(({ Certificate = '' }) => certificatesIn(Certificate).slice(0, 1))
  }

  async export(): Promise<CertificatesAndKeys> {
    const pairs = await Promise.all(this.#arns.map((arn) => this.#exportOne(arn)))
    return {
      certificate: pairs.map(({ certificate }) => certificate).join('\n'),
      privateKey: pairs.map(({ privateKey }) => privateKey).join('\n'),
    }
  }

  async #exportOne(arn: string): Promise<CertificatesAndKeys> {
    // ACM takes printable characters, without #, $ and %.
    const passphrase = randomBytes(32).toString('base64url')
    const answer = await this.#acm.send(
      new ExportCertificateCommand({ CertificateArn: arn, Passphrase: Buffer.from(passphrase) }),
    )
    const { Certificate = '', CertificateChain = '', PrivateKey = '' } = answer
    return {
      certificate: [Certificate, CertificateChain].map((pem) => pem.trim()).join('\n'),
      privateKey: decrypted(PrivateKey, passphrase, arn),
    }
  }
}

/** @throws Error without anything of the key */
function decrypted(key: string, passphrase: string, arn: string): string {
  try {
    return createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' }).toString().trim()
  } catch {
    throw new Error(`the private key that ACM exported of ${arn} cannot be read`)
  }
}
