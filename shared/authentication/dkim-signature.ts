/** Signs the mail that mailflow writes with DKIM (RFC 6376). */
import type { SigningKey } from '../net/signing-key.ts'

/**
 * Returns the field DKIM-Signature, to be put before the message.
 * @param signedFields names of header fields of the message
 * @throws Error if the key cannot sign
 */
export async function dkimSignature(
  octets: Buffer,
  { domain, selector, privateKey }: SigningKey,
  signedFields: string[],
  at: Date,
): Promise<Buffer> {
  // Loaded on first use: most cold starts sign nothing.
  const { dkimSign } = await import('mailauth/lib/dkim/sign.js')
  const signer = { signingDomain: domain, selector, privateKey }
  const { signatures, errors } = await dkimSign(octets, {
    // The package reads `signatureData`; its types also require the fields at this level.
    ...signer,
    signatureData: [signer],
    canonicalization: 'relaxed/relaxed',
    headerList: signedFields,
    signTime: at,
    strict: true,
  })
  if (errors.length > 0 || signatures === '')
    throw new Error(`The DKIM key cannot sign: ${errors[0]?.err.message ?? 'no signature was created'}`)
  return Buffer.from(signatures)
}
