/** The SHA-256 of a certificate, as the API names certificates. */

/** @returns lower-case hexadecimal digits; `unknown` if it is not base64, or the page has no Web Cryptography */
export async function fingerprintOfPem(pem: string): Promise<string> {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)?.[1]?.replaceAll(/\s/g, '')
  try {
    const content = Uint8Array.from(atob(base64 ?? '!'), (character) => character.charCodeAt(0))
    const digest = await crypto.subtle.digest('SHA-256', content)
    return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, '0')).join('')
  } catch {
    return 'unknown'
  }
}
