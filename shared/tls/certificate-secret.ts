/** Parses the ingress's certificate secret, which an administrator may have written by hand. */
import { IngressCertificates } from '../contract/certificates.ts'
import type { CertificateFault } from './certificate-choice.ts'

export interface CertificateSecret {
  set: IngressCertificates
  /** Why the optional fields are left out. A mistake in the next certificate must not disable the current one. */
  refused: CertificateFault | null
}

const optional = ['servedFrom', 'next', 'deprecated']

/** @throws Error in one line that names the invalid fields, never their content */
export function parseCertificateSecret(text: string): CertificateSecret {
  const json = parseJson(text)
  const whole = IngressCertificates.safeParse(json)
  if (whole.success) return { set: whole.data, refused: null }
  const fields = whole.error.issues.map(({ path, code }) => `${path.join('.') || 'the whole'} (${code})`)
  const detail = `the secret has invalid fields: ${fields.join(', ')}`
  const wrong = whole.error.issues.map(({ path }) => String(path[0]))
  if (!wrong.every((field) => optional.includes(field))) throw new Error(detail)
  const kept = Object.entries(json as object).filter(([field]) => !wrong.includes(field))
  return {
    set: IngressCertificates.parse(Object.fromEntries(kept)),
    refused: { reason: 'Unusable', detail },
  }
}

/** Node's error message would quote the secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('the secret is not JSON')
  }
}
