/** Why a sign-in failed, in a sentence for the person. Pure. */
import * as oauth from 'oauth4webapi'

/** @param issuer its URL */
export function signInFault(error: unknown, issuer: string): Error {
  const host = new URL(issuer).host
  if (error instanceof oauth.AuthorizationResponseError)
    return new Error(`The identity provider ${host} refused: ${error.error_description ?? error.error}.`)
  if (error instanceof oauth.ResponseBodyError)
    return new Error(
      `The identity provider ${host} gave no token: ${error.error_description ?? error.error}.`,
    )
  // fetch() throws it without a reason that a page may read.
  if (error instanceof TypeError)
    return new Error(
      `The identity provider ${host} cannot be reached, or does not permit requests of this page (CORS). Check your connection, then try again.`,
    )
  if (error instanceof SignInFault) return error
  return new Error(
    `The answer of the identity provider ${host} is not valid: ${error instanceof Error ? error.message : 'unknown'}. Try again.`,
  )
}

/** A fault whose text is for the person already. */
export class SignInFault extends Error {}
