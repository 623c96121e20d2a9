/** A finding is one line of the output of `check`. */

export type Check =
  | 'address'
  | 'connection'
  | 'greeting'
  | 'starttls'
  | 'protocol'
  | 'cipher'
  | 'older'
  | 'chunking'
  | 'certificate'
  | 'dates'
  | 'key'
  | 'signature'
  | 'purpose'
  | 'chain'
  | 'root'
  | 'trust'
  | 'name'
  | 'revocation'
  | 'crl'
  | 'ocsp'
  | 'staple'
  | 'issuer'
  | 'mx'
  | 'sender'
  | 'bypass'

/** `FAIL`: a client that verifies the server rejects it. `WARN`: such a client accepts it, perhaps not for long. */
export type Result = 'OK' | 'WARN' | 'FAIL'

export interface Finding {
  readonly check: Check
  /** The certificate that the finding is about, if there may be several. */
  readonly subject?: string
  readonly result: Result
  readonly seen: string
  /** What the administrator should do; null for OK. */
  readonly advice: string | null
}

export const ok = (check: Check, seen: string, subject?: string): Finding => ({
  check,
  ...(subject !== undefined && { subject }),
  result: 'OK',
  seen,
  advice: null,
})

const findingFactory =
  (result: Result) =>
  (check: Check, seen: string, advice: string, subject?: string): Finding => ({
    check,
    ...(subject !== undefined && { subject }),
    result,
    seen,
    advice,
  })

export const warn = findingFactory('WARN')
export const fail = findingFactory('FAIL')
