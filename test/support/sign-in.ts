/** Requests of people, as API Gateway passes them on after it verified a token. */
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { claimTexts } from '../../infra/local/jwt-authorizer.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token with this payload. Its signature is not valid: the function under test does not check it. */
export const tokenOf = (payload: unknown): string =>
  `${encode({ alg: 'RS256', kid: '1' })}.${encode(payload)}.signature`

export const issuer = 'https://login.example.net/'

/** The headers and the authorizer of a request whose token has these claims. */
export function signedIn(claims: Readonly<Record<string, unknown>>) {
  // As in a token: a field that is undefined is missing.
  const payload = JSON.parse(JSON.stringify({ iss: issuer, sub: 'ann', ...claims }))
  return {
    headers: { authorization: `Bearer ${tokenOf(payload)}` },
    authorizer: { jwt: { claims: claimTexts(payload), scopes: null } },
  }
}

export const eventOf = (request: { headers?: object; authorizer?: object }): APIGatewayProxyEventV2 =>
  ({
    headers: request.headers ?? {},
    requestContext: { authorizer: request.authorizer },
  }) as unknown as APIGatewayProxyEventV2
