/**
 * Verifies tokens as the JWT authorizer of an HTTP API does: only with RSA keys of the issuer, named by `kid`, without
 * leeway for the clock. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
 */
import type { createRemoteJWKSet, JWTPayload } from 'jose'
import * as z from 'zod'
import { errorMessage } from '../../shared/contract/error-message.ts'

export interface TokenRequirement {
  readonly issuer: string
  readonly audience: readonly string[]
  /** A token must have one of these scopes; an empty list accepts every token of the audience. */
  readonly scopes: readonly string[]
}

export type TokenResult =
  | { readonly kind: 'Verified'; readonly context: JwtContext }
  | { readonly kind: 'Refused'; readonly status: 401 | 403; readonly description: string }

/** `requestContext.authorizer.jwt`. */
export interface JwtContext {
  readonly claims: Readonly<Record<string, string>>
  readonly scopes: readonly string[] | null
}

/** @param authorization the header; undefined when it is missing */
export type VerifyToken = (authorization: string | undefined) => Promise<TokenResult>

/** The keys are read at the first token, because the issuer may start after the runner. */
export function createTokenVerifier(requirement: TokenRequirement): VerifyToken {
  let keys: KeySet | undefined
  return async (authorization) => {
    try {
      const token = tokenIn(authorization)
      keys ??= await readKeySet(requirement.issuer)
      return checkScopes(await verify(token, keys, requirement), requirement.scopes)
    } catch (error) {
      return { kind: 'Refused', status: 401, description: errorMessage(error) }
    }
  }
}

/** The identity source may contain the token alone, or after `Bearer`. */
function tokenIn(authorization: string | undefined): string {
  const token = /^(?:Bearer +)?([\w.-]+)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) throw new Error('the request has no token')
  return token
}

type KeySet = ReturnType<typeof createRemoteJWKSet>

const Discovery = z.object({ jwks_uri: z.url() })

/** OpenID Connect Discovery 1.0 §4 */
async function readKeySet(issuer: string): Promise<KeySet> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    const { jwks_uri } = Discovery.parse(await response.json())
    const { createRemoteJWKSet } = await import('jose')
    return createRemoteJWKSet(new URL(jwks_uri))
  } catch (error) {
    throw new Error(`${url} cannot be read`, { cause: error })
  }
}

/** @throws Error when the token is not valid */
async function verify(
  token: string,
  keys: KeySet,
  { issuer, audience }: TokenRequirement,
): Promise<JWTPayload> {
  const { decodeProtectedHeader, jwtVerify } = await import('jose')
  if (decodeProtectedHeader(token).kid === undefined) throw new Error('the token does not name its key')
  const algorithms = ['RS256', 'RS384', 'RS512']
  const { payload } = await jwtVerify(token, keys, { algorithms, issuer, requiredClaims: ['exp'] })
  if ((payload.iat ?? 0) > Date.now() / 1000) throw new Error('the token was issued in the future')
  // client_id counts only when the token has no aud.
  const audiences = [payload.aud ?? payload.client_id].flat()
  if (audiences.some((entry) => typeof entry === 'string' && audience.includes(entry))) return payload
  throw new Error('the token does not have a valid audience')
}

function checkScopes(payload: JWTPayload, scopes: readonly string[]): TokenResult {
  const ownScopes = [payload.scope ?? payload.scp ?? []].flat().flatMap((scope) => String(scope).split(' '))
  if (scopes.length > 0 && !scopes.some((scope) => ownScopes.includes(scope)))
    return { kind: 'Refused', status: 403, description: 'the token has none of the required scopes' }
  return {
    kind: 'Verified',
    context: { claims: claimTexts(payload), scopes: scopes.length > 0 ? ownScopes : null },
  }
}

/** API Gateway passes each claim on as text, and a list as `[a b]`. */
export const claimTexts = (claims: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(claims).map(([name, value]) => [
      name,
      Array.isArray(value) ? `[${value.join(' ')}]` : String(value),
    ]),
  )
