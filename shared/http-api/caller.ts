/**
 * Identifies the caller of a request and, for a person, the roles. API Gateway verified the AWS signature or the token
 * before it invoked the function, and describes the result in the request context.
 *
 * Attack: API Gateway passes on a claim with a list as the text `[a b]`. A person who may name a group calls it
 * `x Mail Administrators`, and seems to be in the group of the administrators. Some issuers, such as AD FS, also write a
 * list of one group as a text. Defence: the claim is read from the payload of the token, where a list is a list. A text
 * is one value, except in claims of scopes.
 *
 * Attack: a request has two tokens, and the roles are read from the one that was not verified. Defence: the header
 * Authorization must hold exactly one token, whose subject and issuer equal those of the verified claims. Anything else
 * gives no role.
 *
 * Attack: a request reaches the function through a route without an authorizer. Defence: a request without exactly one
 * of the two contexts has no caller, and is refused.
 *
 * Not covered: a principal that may invoke the function directly can write any request context. A role that the issuer
 * withdraws stays in a token until the token expires.
 */
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import * as z from 'zod'
import { allowsRole } from '../contract/allows-role.ts'
import { parseJson } from '../contract/parse-json.ts'
import type { Role, RoleMapping } from '../contract/roles.ts'
import { Problem } from './problem.ts'

export type Caller =
  /** IAM has decided by its policies which routes this principal may use. */
  | { readonly kind: 'IamPrincipal'; readonly name: string }
  | {
      readonly kind: 'TokenSubject'
      readonly name: string
      readonly roles: readonly Role[]
      /** Why the token gives no role. */
      readonly fault: string | null
    }

const Claims = z.object({ sub: z.string().default(''), iss: z.string().default('') })
type Claims = z.output<typeof Claims>

const RequestContext = z.object({
  authorizer: z.object({
    iam: z.object({ userArn: z.string().min(1) }).nullish(),
    jwt: z.object({ claims: Claims }).nullish(),
  }),
})

/**
 * @param mapping null when the deployment has no sign-in, so that no token has a role
 * @returns null when API Gateway verified neither a signature nor a token
 */
export function callerOf(event: APIGatewayProxyEventV2, mapping: RoleMapping | null): Caller | null {
  const { iam, jwt } = RequestContext.safeParse(event.requestContext).data?.authorizer ?? {}
  if (iam && !jwt) return { kind: 'IamPrincipal', name: iam.userArn }
  if (!jwt || iam) return null
  return { kind: 'TokenSubject', name: jwt.claims.sub, ...rolesInToken(event, jwt.claims, mapping) }
}

/**
 * Returns a caller who may use a route.
 * @throws Problem 403
 */
export function authorise(event: APIGatewayProxyEventV2, needed: Role, mapping: RoleMapping | null): Caller {
  const caller = callerOf(event, mapping)
  if (caller === null) throw new Problem(403, 'The request has no AWS signature or token that was verified.')
  if (caller.kind === 'IamPrincipal' || allowsRole(caller.roles, needed)) return caller
  throw new Problem(403, `This request needs the role ${needed}. ${rolesText(caller.roles)}`)
}

function rolesText(roles: readonly Role[]): string {
  if (roles.length === 0) return 'You have no role.'
  return `You have the role${roles.length > 1 ? 's' : ''} ${roles.join(' and ')}.`
}

function rolesInToken(
  { headers }: APIGatewayProxyEventV2,
  verified: Claims,
  mapping: RoleMapping | null,
): { roles: Role[]; fault: string | null } {
  if (mapping === null) return { roles: [], fault: 'the deployment maps no claim to roles' }
  const values = claimValues(headers.authorization ?? '', verified, mapping.claim)
  if (typeof values === 'string') return { roles: [], fault: values }
  const rolesByValue = new Map(Object.entries(mapping.mapping))
  const roles = [...new Set(values.flatMap((value) => rolesByValue.get(value) ?? []))].sort()
  return { roles, fault: roles.length === 0 ? 'no value of the claim is mapped to a role' : null }
}

/** @returns the values of the token's claim, or the reason why there are none */
function claimValues(authorization: string, { sub, iss }: Claims, claim: string): string[] | string {
  if (sub === '') return 'the token does not name its subject'
  const payload = payloadOf(authorization)
  if (payload === null) return 'the header Authorization is not one token'
  if (payload.sub !== sub || payload.iss !== iss) return 'the token is not the one that was verified'
  if (!Object.hasOwn(payload, claim)) return 'the token does not have the claim'
  const { data } = ClaimValue.safeParse(payload[claim])
  if (data === undefined) return 'the claim is neither a text nor a list of texts'
  if (typeof data !== 'string') return data
  return claimsOfScopes.has(claim) ? data.split(' ') : [data]
}

const ClaimValue = z.union([z.array(z.string()), z.string()])

/** Their texts are lists with spaces between the values: RFC 8693 §4.2, and Microsoft Entra's name of the same claim. */
const claimsOfScopes: ReadonlySet<string> = new Set(['scope', 'scp'])

/** @returns null unless the header holds exactly one signed token (RFC 7515 §3.1) with a JSON object as its payload */
function payloadOf(authorization: string): Record<string, unknown> | null {
  const [, payload] = /^(?:Bearer +)?[\w-]+\.([\w-]+)\.[\w-]+$/i.exec(authorization) ?? []
  if (payload === undefined) return null
  const text = Buffer.from(payload, 'base64url').toString()
  return z.record(z.string(), z.unknown()).safeParse(parseJson(text)).data ?? null
}
