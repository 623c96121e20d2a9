/** The secret with our certificates as its text has it, which an administrator may have written by hand. */
import { IngressCertificates } from '../contract/certificates.ts'
import type { CertificateFault } from './certificate-choice.ts'

export interface CertificateSecret {
  set: IngressCertificates
  /** Why what stands beside the current certificates is left out: a slip in the next must not take the current along. */
  refused: CertificateFault | null
}

/** What can be left out. */
const optional = ['servedFrom', 'next', 'deprecated']

/** @throws Error in one line naming the fields at fault, never what is in them */
export function parseCertificateSecret(text: string): CertificateSecret {
  const json = parseJson(text)
  const whole = IngressCertificates.safeParse(json)
  if (whole.success) return { set: whole.data, refused: null }
  const fields = whole.error.issues.map(({ path, code }) => `${path.join('.') || 'the whole'} (${code})`)
  const detail = `the secret does not have its fields as it has to: ${fields.join(', ')}`
  const wrong = whole.error.issues.map(({ path }) => String(path[0]))
  if (!wrong.every((field) => optional.includes(field))) throw new Error(detail)
  const kept = Object.entries(json as object).filter(([field]) => !wrong.includes(field))
  return {
    set: IngressCertificates.parse(Object.fromEntries(kept)),
    refused: { reason: 'Unusable', detail },
  }
}

/** Without Node's own words, which quote the text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('the secret is not JSON')
  }
}
