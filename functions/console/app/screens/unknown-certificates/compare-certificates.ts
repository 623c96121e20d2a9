/** Compares the certificate that a client presents with the one that the connector accepted. Pure. */
import type { UnknownCertificate } from '../../api/types.ts'

type Presented = UnknownCertificate['presented']

export interface ComparedField {
  label: string
  /** Null: no certificate is on record. */
  accepted: readonly string[] | null
  presented: readonly string[]
  /** In words; empty without an accepted certificate. */
  difference: string
  isSame: boolean
  /** Whether the values are times. */
  isTime?: boolean
}

/** A certificate may have more. */
const maxNames = 20

export function compareCertificates(presented: Presented, accepted: Presented | null): ComparedField[] {
  const field = (
    label: string,
    values: (certificate: Presented) => readonly string[],
    fields: Partial<ComparedField> = {},
  ): ComparedField => {
    const now = values(presented)
    const before = accepted && values(accepted)
    const isSame = before !== null && before.join('\n') === now.join('\n')
    return {
      ...{ label, presented: now, accepted: before, isSame },
      difference: before === null ? '' : isSame ? 'Same' : 'Different',
      ...fields,
    }
  }
  return [
    field('Issuer', ({ issuer }) => [issuer]),
    namesField(presented, accepted),
    field('Subject', ({ subject }) => [subject]),
    field('Valid from', ({ notBefore }) => [notBefore], { isTime: true }),
    field('Valid until', ({ notAfter }) => [notAfter], { isTime: true }),
    keyField(presented, accepted, field('Key', keyValues)),
    field('Serial number', ({ serial }) => [serial]),
    field('Fingerprint (SHA-256)', ({ fingerprint256 }) => [fingerprint256]),
  ]
}

/** Two keys that cannot be read need not be the same. */
function keyField(presented: Presented, accepted: Presented | null, field: ComparedField): ComparedField {
  const keys = [presented, accepted ?? presented].map((each) => each.publicKeyFingerprint256)
  return accepted !== null && keys.includes(null) ? { ...field, isSame: false, difference: 'Unknown' } : field
}

const keyValues = ({ keyType, publicKeyFingerprint256 }: Presented): string[] =>
  publicKeyFingerprint256 === null
    ? ['unreadable']
    : [...(keyType === null ? [] : [keyType]), publicKeyFingerprint256]

function namesField({ subjectAltNames }: Presented, accepted: Presented | null): ComparedField {
  const now = subjectAltNames.map((name) => name.toLowerCase()).sort()
  const before = accepted?.subjectAltNames.map((name) => name.toLowerCase()).sort() ?? null
  const added = before === null ? [] : now.filter((name) => !before.includes(name))
  const missing = before === null ? [] : before.filter((name) => !now.includes(name))
  const isSame = before !== null && added.length === 0 && missing.length === 0
  const parts = [
    ...(added.length > 0 ? [`${added.length} added`] : []),
    ...(missing.length > 0 ? [`${missing.length} missing`] : []),
  ]
  return {
    label: 'Names',
    presented: shownNames(now),
    accepted: before && shownNames(before),
    isSame,
    difference: before === null ? '' : isSame ? 'Same' : `Different: ${parts.join(', ')}`,
  }
}

const shownNames = (names: readonly string[]): string[] =>
  names.length === 0
    ? ['none']
    : [
        ...names.slice(0, maxNames),
        ...(names.length > maxNames ? [`and ${names.length - maxNames} more`] : []),
      ]

/** One sentence about the fields in which the certificates differ. */
export function differenceSentence(fields: readonly ComparedField[]): string {
  const labels = (isSame: boolean) =>
    fields
      .filter((field) => field.isSame === isSame)
      .map(({ label }) => label.charAt(0).toLowerCase() + label.slice(1))
      .join(', ')
  if (fields.every(({ accepted }) => accepted === null))
    return 'No accepted certificate is on record for this connector, so there is none to compare with.'
  if (fields.every(({ isSame }) => isSame)) return 'The connector accepted this same certificate before.'
  return `Different: ${labels(false)}. Same: ${labels(true) || 'nothing'}.`
}
