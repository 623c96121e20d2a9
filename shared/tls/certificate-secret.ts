/** Parses the ingress's certificate secret, which an administrator may have written by hand. */
import { IngressCertificates } from '../contract/certificates.ts'
import type { CertificateFault } from './certificate-choice.ts'

export interface CertificateSecret {
  set: IngressCertificates
  /**
   * The fault of optional fields that are invalid and therefore ignored; null if all are valid. So an invalid next
   * certificate does not disable the current one.
   */
  optionalFieldsFault: CertificateFault | null
}

const optionalFields = ['servedFrom', 'next', 'deprecated']

/** @throws Error in one line that names the invalid fields, never their content */
export function parseCertificateSecret(text: string): CertificateSecret {
  const json = parseJson(text)
  const parsed = IngressCertificates.safeParse(json)
  if (parsed.success) return { set: parsed.data, optionalFieldsFault: null }
  const fields = parsed.error.issues.map(({ path, code }) => `${path.join('.') || 'the whole'} (${code})`)
  const detail = `the secret has invalid fields: ${fields.join(', ')}`
  const invalidFields = parsed.error.issues.map(({ path }) => String(path[0]))
  if (!invalidFields.every((field) => optionalFields.includes(field))) throw new Error(detail)
  const remainingFields = Object.entries(json as object).filter(([field]) => !invalidFields.includes(field))
  return {
    set: IngressCertificates.parse(Object.fromEntries(remainingFields)),
    optionalFieldsFault: { reason: 'Unusable', detail },
  }
}

/** Replaces Node's error message, which would quote the secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('the secret is not JSON')
  }
}
