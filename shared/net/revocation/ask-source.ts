/** Fetches one CRL or queries one OCSP responder about one certificate, without a cache. */
import type { X509Certificate } from 'node:crypto'
import { inOneLine } from '../../mail/peer-words.ts'
import { maxCrlOctets, statusInCrl } from '../../tls/revocation/crl.ts'
import { revocationEndpoints } from '../../tls/revocation/endpoints.ts'
import { maxOcspOctets, ocspRequest, statusInOcsp } from '../../tls/revocation/ocsp.ts'
import type { RevocationSource } from '../../tls/revocation/status.ts'
import { type Question, type Told, unknown } from '../../tls/revocation/told.ts'
import type { ForeignAnswer, ForeignOptions } from '../foreign-exchange.ts'
import { askUrl } from '../foreign-http.ts'

export type Place = Pick<RevocationSource, 'kind' | 'url'>

export type AskingOptions = Omit<ForeignOptions, 'limits'> & {
  /** Milliseconds in total; the default permits a large CRL. */
  whole?: number
}

/** Milliseconds: a CRL of some megabytes takes a while. */
const longest = { Crl: 20_000, Ocsp: 10_000 }
const silence = 5_000
const largest = { Crl: maxCrlOctets, Ocsp: maxOcspOctets }

/** The certificate's OCSP responders, then its CRLs: OCSP responses are shorter. */
export function placesOf(certificate: X509Certificate): Place[] {
  const { ocsp, crl } = revocationEndpoints(certificate)
  return [
    ...ocsp.map((url): Place => ({ kind: 'Ocsp', url })),
    ...crl.map((url): Place => ({ kind: 'Crl', url })),
  ]
}

/** Never throws. */
export async function askSource(
  place: Place,
  question: Question,
  options: AskingOptions,
): Promise<RevocationSource> {
  const { status, detail, nextUpdate } = await told(place, question, options)
  return { ...place, status, detail: inOneLine(detail, 250), nextUpdate }
}

async function told(place: Place, question: Question, options: AskingOptions): Promise<Told> {
  const body = place.kind === 'Ocsp' ? requestOf(question) : null
  if (body === undefined) return unknown('No OCSP request can be made for this certificate')
  const { whole = longest[place.kind] } = options
  const limits = { whole, silence: Math.min(silence, whole), body: largest[place.kind] }
  const answer = await askUrl({ ...options, limits }, place.url, body === null ? get : { ...post, body })
  return read(place, answer, question)
}

const get = { method: 'GET', headers: { Accept: 'application/pkix-crl' } } as const
const post = { method: 'POST', headers: { 'Content-Type': 'application/ocsp-request' } } as const

function requestOf(question: Question): Buffer | undefined {
  try {
    return ocspRequest(question)
  } catch {
    return undefined
  }
}

function read({ kind }: Place, answer: ForeignAnswer, question: Question): Told {
  if (answer.kind === 'Failed') return unknown(answer.detail)
  if (answer.status !== 200) return unknown(`The server answered ${answer.status}`)
  return kind === 'Crl' ? statusInCrl(answer.body, question) : statusInOcsp(answer.body, question)
}
