/** Lists the steps for a partner whose mail must arrive both now and after the next certificate change. */
import type { PublishedCertificate, PublishedCertificates } from '../contract/certificates.ts'

export interface Preparation {
  /** The time from which the next certificate is served; null if none is announced. */
  changesAt: string | null
  /** Steps before the change. */
  beforeChange: readonly Step[]
  /** Steps that apply with or without a change, with the values of the current certificates. */
  always: readonly Step[]
}

export interface Step {
  /** One or more sentences. */
  text: string
  /** Values to copy. */
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
        'Have your mail server trust the root of the certificates on this page. Most systems already trust it; on Windows, ' +
          'certlm.msc shows it under “Trusted Root Certification Authorities”, “Certificates”.',
        rootsOf(current),
      ),
      step(
        'If your connector names the certificate (in Exchange: TlsSettings DomainValidation, TlsDomain), use one of these names.',
        namesOf(current),
      ),
      ...addressSteps(current),
    ],
  }
}

function changesOf(current: readonly PublishedCertificate[], next: readonly PublishedCertificate[]): Step[] {
  const added = (values: (certificates: readonly PublishedCertificate[]) => string[]) =>
    without(values(next), values(current))
  const removedNames = without(namesOf(current), namesOf(next))
  const steps = [
    step(
      'Have your mail server also trust this root: the next certificate has a different root.',
      added(rootsOf),
    ),
    step('Let your mail server also reach these addresses over HTTP.', added(addressesOf)),
    ...(removedNames.length > 0
      ? [
          step(
            `If your connector names ${removedNames.join(' or ')}, replace it with one of these names at the change.`,
            namesOf(next),
          ),
        ]
      : []),
    step(
      'If you compare the SHA-256 of certificates (pinning), also accept these. Remove the previous ones after the change.',
      added((certificates) => certificates.map(({ fingerprint256 }) => fingerprint256)),
    ),
    step(
      'If you compare the SHA-256 of public keys, also accept these.',
      added((certificates) => certificates.map(({ publicKeyFingerprint256 }) => publicKeyFingerprint256)),
    ),
  ]
  return steps.filter(({ items }) => items.length > 0)
}

function addressSteps(current: readonly PublishedCertificate[]): Step[] {
  const addresses = addressesOf(current)
  if (addresses.length === 0) return []
  return [
    step(
      'Let your mail server reach these addresses over HTTP, to check whether a certificate is revoked. On ' +
        'Windows, test an address with certutil -URL.',
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
