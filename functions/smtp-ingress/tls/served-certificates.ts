/**
 * Rotates the ingress's certificates without a restart. The secret is read again every few minutes. The next
 * certificate is served from its announced date, or from the expiry of the current certificate if that is earlier. The
 * process switches at that time even if the secret cannot be read then. When reading or checking fails, the served
 * certificates stay.
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { Metric } from '../../../shared/contract/metrics.ts'
import {
  type CertificateChoice,
  type CertificatesAndKeys,
  chooseCertificates,
  findCertificateFault,
} from '../../../shared/tls/certificate-choice.ts'
import { type CertificateSecret, parseCertificateSecret } from '../../../shared/tls/certificate-secret.ts'
import { fingerprintOf } from '../../../shared/tls/fingerprint.ts'
import { serverIdentities } from '../../../shared/tls/server-identity.ts'
import { serverTlsOptions } from '../../../shared/tls/server-options.ts'
import { causeOf, type Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

/** Node.js timers cannot wait for a month, so the date of the next certificate is checked at least this often. */
const maxTimerMs = 3_600_000

export interface ServedCertificatesOptions {
  /** Reads the secret's text. Rejects when it cannot be read now. */
  read(): Promise<string>
  hostname: string
  /** Milliseconds between two reads. Up to half of this time is added at random, so that tasks do not read together. */
  readIntervalMs: number
  metrics: Metrics
  log: Log
  now(): Date
  /** Returns a number from 0 to 1. */
  random?(): number
}

export interface CertificateConsumer {
  /** @throws Error if OpenSSL rejects the certificates */
  use(certificates: CertificatesAndKeys): void
}

export class ServedCertificates {
  readonly #options: ServedCertificatesOptions
  #secret: CertificateSecret
  #consumer: CertificateConsumer | null = null
  #served: CertificatesAndKeys
  #readTimer: NodeJS.Timeout | undefined
  #switchTimer: NodeJS.Timeout | undefined
  /** The last logged list of faults, as JSON. */
  #loggedFaults = ''

  private constructor(
    options: ServedCertificatesOptions,
    secret: CertificateSecret,
    served: CertificatesAndKeys,
  ) {
    this.#options = options
    this.#secret = secret
    this.#served = served
  }

  /** @throws Error in one line when the secret cannot be read, or nothing in it can be served */
  static async open(options: ServedCertificatesOptions): Promise<ServedCertificates> {
    const secret = parseCertificateSecret(await options.read())
    const { hostname, now } = options
    const choice = chooseCertificates(secret.set, { hostname, at: now(), checkWithOpenSsl: assertUsable })
    // Mail under a certificate that some clients reject is better than no mail.
    if (choice.fault?.reason === 'Unusable')
      throw new Error(`certificates of the secret cannot be served: ${choice.fault.detail}`)
    return new ServedCertificates(options, secret, choice)
  }

  get served(): CertificatesAndKeys {
    return this.#served
  }

  /** Passes later certificates to the consumer. @throws Error if `use` throws */
  begin(consumer: CertificateConsumer): void {
    this.#consumer = consumer
    this.#logServed('serving certificates')
    // The next certificate may have become due since `open`.
    this.#apply()
    this.#scheduleRead()
  }

  stop(): void {
    clearTimeout(this.#readTimer)
    clearTimeout(this.#switchTimer)
  }

  /** Reads the secret now. Rejects only if `use` throws, which is unlikely after the check with OpenSSL. */
  async refresh(): Promise<void> {
    const { read, log, metrics } = this.#options
    try {
      this.#secret = parseCertificateSecret(await read())
    } catch (error) {
      metrics.count(Metric.certificateReadsFailed)
      log('error', 'certificates cannot be read: the previous ones stay in use', { cause: causeOf(error) })
      return
    }
    this.#apply()
  }

  #choose(): CertificateChoice {
    const { hostname, now } = this.#options
    const { set, optionalFieldsFault } = this.#secret
    const choice = chooseCertificates(set, { hostname, at: now(), checkWithOpenSsl: assertUsable })
    return { ...choice, nextFault: choice.nextFault ?? optionalFieldsFault }
  }

  #apply(): void {
    const choice = this.#choose()
    if (this.#isAcceptable(choice) && !this.#isServed(choice)) this.#switchTo(choice)
    this.#reportFaults(choice)
    this.#scheduleSwitch(choice)
  }

  /**
   * A certificate with a fault is accepted only if the served certificate has a fault too. (At the start `open` accepts
   * it, because nothing is served yet.) An unusable certificate is never accepted.
   */
  #isAcceptable({ fault }: CertificateChoice): boolean {
    if (fault === null) return true
    const { hostname, now } = this.#options
    return fault.reason !== 'Unusable' && findCertificateFault(this.#served, { hostname, at: now() }) !== null
  }

  #switchTo({ certificate, privateKey }: CertificatesAndKeys): void {
    this.#consumer?.use({ certificate, privateKey })
    this.#served = { certificate, privateKey }
    this.#logServed('certificates switched: new sessions use these')
  }

  #isServed({ certificate, privateKey }: CertificatesAndKeys): boolean {
    return certificate === this.#served.certificate && privateKey === this.#served.privateKey
  }

  /**
   * Counts the faults at every evaluation, so that the alarm lasts as long as the fault. Logs all of them whenever the
   * list changes.
   */
  #reportFaults({ state, fault, nextFault, ...choice }: CertificateChoice): void {
    const { metrics, log } = this.#options
    const faults = [
      ...(fault ? [{ certificates: state, ...fault }] : []),
      ...(nextFault ? [{ certificates: 'Next', ...nextFault }] : []),
    ]
    for (const _ of faults) metrics.count(Metric.certificatesRefused)
    const faultsJson = JSON.stringify(faults)
    if (faultsJson === this.#loggedFaults) return
    this.#loggedFaults = faultsJson
    const isServed = this.#isServed(choice)
    for (const { certificates, reason, detail } of faults)
      log(
        'error',
        certificates === state && isServed
          ? 'certificates are faulty but served, because there are no others'
          : 'certificates are refused: the previous ones stay in use',
        { certificates, reason, detail },
      )
  }

  #logServed(message: string): void {
    const { certificate, privateKey } = this.#served
    const leaves = serverIdentities(privateKey, certificate).map(({ cert }) => new X509Certificate(cert))
    this.#options.log('info', message, {
      certificates: leaves.map((leaf) => ({
        subject: leaf.subject?.replaceAll('\n', ', '),
        fingerprint256: fingerprintOf(leaf),
        validTo: leaf.validTo,
      })),
    })
  }

  /**
   * Uses the choice that was applied: a second choice might be made after `changesAt`, and then nothing would switch
   * before the next read of the secret.
   */
  #scheduleSwitch({ changesAt }: CertificateChoice): void {
    clearTimeout(this.#switchTimer)
    if (changesAt === null) return
    const wait = Math.max(0, changesAt.getTime() - this.#options.now().getTime())
    this.#switchTimer = setTimeout(() => this.#apply(), Math.min(wait, maxTimerMs)).unref()
  }

  #scheduleRead(): void {
    const { readIntervalMs, random = Math.random } = this.#options
    const readAgain = () => void this.refresh().then(() => this.#scheduleRead())
    this.#readTimer = setTimeout(readAgain, readIntervalMs * (1 + random() / 2)).unref()
  }
}

function assertUsable({ certificate, privateKey }: CertificatesAndKeys): void {
  createSecureContext(serverTlsOptions(privateKey, certificate))
}
