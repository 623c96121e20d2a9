/** What a partner has to do so that its mail to us flows on under our certificates, now and after the next change. */
import type { PublishedCertificate, PublishedCertificates } from '../contract/certificates.ts'

export interface Preparation {
  /** When the next certificate is served; null where none is announced. */
  changesAt: string | null
  /** To be done before that. */
  beforeChange: readonly Step[]
  /** Holds already. */
  always: readonly Step[]
}

export interface Step {
  /** A sentence, or more. */
  text: string
  /** What it is about, to be copied. */
  items: readonly string[]
}

export function preparationFor({ certificates }: PublishedCertificates): Preparation {
  const current = certificates.filter(({ state }) => state === 'Current')
  const next = certificates.filter(({ state }) => state === 'Next')
  const [announced] = next
  return {
    changesAt: announced?.servedFrom ?? null,
    beforeChange: announced ? changesOf(current, next) : [],
    always: [
      step(
        'Have your mail server trust the root of our certificates. Most systems do so by themselves; on Windows, ' +
          'certlm.msc shows it under “Trusted Root Certification Authorities”, “Certificates”.',
        rootsOf(current),
      ),
      step(
        'Where a connector of yours names our certificate (in Exchange: TlsSettings DomainValidation, TlsDomain), use one of these names.',
        namesOf(current),
      ),
      ...addressSteps(current),
    ],
  }
}

function changesOf(current: readonly PublishedCertificate[], next: readonly PublishedCertificate[]): Step[] {
  const added = (values: (of: readonly PublishedCertificate[]) => string[]) =>
    without(values(next), values(current))
  const lost = without(namesOf(current), namesOf(next))
  const steps = [
    step('Have your mail server trust this root, too: the current certificate has another.', added(rootsOf)),
    step('Let your mail server reach these addresses by HTTP, too.', added(addressesOf)),
    ...(lost.length > 0
      ? [
          step(
            `If your connector names ${lost.join(' or ')}, have it name one of these instead, from the change on.`,
            namesOf(next),
          ),
        ]
      : []),
    step(
      'If you compare the SHA-256 of certificates (pinning), admit these, too. Drop the former ones after the change.',
      added((of) => of.map(({ fingerprint256 }) => fingerprint256)),
    ),
    step(
      'If you compare the SHA-256 of public keys, admit these, too.',
      added((of) => of.map(({ publicKeyFingerprint256 }) => publicKeyFingerprint256)),
    ),
  ]
  return steps.filter(({ items }) => items.length > 0)
}

function addressSteps(current: readonly PublishedCertificate[]): Step[] {
  const addresses = addressesOf(current)
  if (addresses.length === 0) return []
  return [
    step(
      'Let your mail server reach these addresses by HTTP: there it asks whether a certificate was revoked. On ' +
        'Windows, certutil -URL with an address tries it.',
      addresses,
    ),
  ]
}

const step = (text: string, items: readonly string[]): Step => ({ text, items })

const rootsOf = (certificates: readonly PublishedCertificate[]): string[] =>
  distinct(certificates.map(({ rootIssuer }) => rootIssuer))

const namesOf = (certificates: readonly PublishedCertificate[]): string[] =>
  distinct(
    certificates.flatMap(({ certificateName, subjectAltNames }) => [certificateName, ...subjectAltNames]),
  )

const addressesOf = (certificates: readonly PublishedCertificate[]): string[] =>
  distinct(certificates.flatMap(({ crlAddresses, ocspAddresses }) => [...crlAddresses, ...ocspAddresses]))

const distinct = (values: readonly string[]): string[] => [...new Set(values)]

const without = (values: readonly string[], others: readonly string[]): string[] =>
  values.filter((value) => !others.includes(value))
