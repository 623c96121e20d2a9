/** The routes of the template's HTTP APIs. */
import * as z from 'zod'
import { createTokenVerifier, type VerifyToken } from './jwt-authorizer.ts'
import { parse, type Resolver, resourcesOfType, type Template } from './template.ts'

export interface Route {
  /** The template's route key: `GET /messages/{id}`, or `$default`. */
  readonly key: string
  readonly functionArn: string
  readonly authorization: string
  /** With the authorization `JWT`. */
  readonly verifyToken?: VerifyToken
}

/** A route of one of the APIs. */
export interface ApiRoute extends Route {
  /** The logical id of the API. */
  readonly api: string
}

const RouteProperties = z.object({
  RouteKey: z.string(),
  ApiId: z.string(),
  Target: z.string(),
  AuthorizationType: z.string().default('NONE'),
  AuthorizationScopes: z.array(z.string()).default([]),
  AuthorizerId: z.string().default(''),
})
const AuthorizerProperties = z.object({
  AuthorizerType: z.literal('JWT'),
  IdentitySource: z.tuple([z.literal('$request.header.Authorization')]),
  JwtConfiguration: z.object({ Issuer: z.url(), Audience: z.array(z.string()) }),
})
const IntegrationProperties = z.object({
  IntegrationUri: z.string(),
  PayloadFormatVersion: z.literal('2.0'),
})

/** @throws StartError when the runner does not support a route, its integration or its authorizer */
export function readRoutes(template: Template, resolver: Resolver): ApiRoute[] {
  for (const type of ['Api', 'Integration', 'Authorizer'])
    for (const [id] of resourcesOfType(template, `AWS::ApiGatewayV2::${type}`))
      resolver.register(id, { Ref: id })
  const tokenChecks = new Map<string, VerifyToken>()
  return resourcesOfType(template, 'AWS::ApiGatewayV2::Route').map(([id, raw]) => {
    const { RouteKey, ApiId, Target, AuthorizationType, AuthorizationScopes, AuthorizerId } = raw
    const properties = { RouteKey, ApiId, Target, AuthorizationType, AuthorizationScopes, AuthorizerId }
    const route = parse(RouteProperties, resolver.resolve(properties), id)
    return {
      key: route.RouteKey,
      api: route.ApiId,
      functionArn: integrationArn(template, resolver, route.Target.replace('integrations/', '')),
      authorization: route.AuthorizationType,
      ...(route.AuthorizationType === 'JWT' && {
        verifyToken: tokenCheck(template, resolver, route, tokenChecks),
      }),
    }
  })
}

/** Routes with the same authorizer and scopes share a check, which keeps the issuer's keys. */
function tokenCheck(
  template: Template,
  resolver: Resolver,
  { AuthorizerId: id, AuthorizationScopes: scopes }: z.output<typeof RouteProperties>,
  checks: Map<string, VerifyToken>,
): VerifyToken {
  const key = JSON.stringify([id, scopes])
  const verifyToken = checks.get(key) ?? createTokenVerifier({ ...issuerOf(template, resolver, id), scopes })
  checks.set(key, verifyToken)
  return verifyToken
}

function issuerOf(template: Template, resolver: Resolver, id: string) {
  const { AuthorizerType, IdentitySource, JwtConfiguration } = template.Resources[id]?.Properties ?? {}
  const properties = resolver.resolve({ AuthorizerType, IdentitySource, JwtConfiguration })
  const { Issuer, Audience } = parse(AuthorizerProperties, properties, id).JwtConfiguration
  return { issuer: Issuer, audience: Audience }
}

function integrationArn(template: Template, resolver: Resolver, id: string): string {
  const { IntegrationUri, PayloadFormatVersion } = template.Resources[id]?.Properties ?? {}
  return parse(IntegrationProperties, resolver.resolve({ IntegrationUri, PayloadFormatVersion }), id)
    .IntegrationUri
}

/**
 * Returns the most specific route and its path parameters: a literal segment has precedence over a parameter, and that over
 * a greedy parameter (`{path+}`), which matches all segments that remain.
 */
export function matchRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { route: Route; parameters: Record<string, string> } | null {
  const segments = path.split('/').slice(1)
  const matches = routes.flatMap((route) => {
    const parameters = matchKey(route.key, method, segments)
    return parameters === null ? [] : [{ route, parameters }]
  })
  const rank = ({ route, parameters }: (typeof matches)[number]) =>
    (route.key === '$default' ? 2000 : route.key.endsWith('+}') ? 1000 : 0) + Object.keys(parameters).length
  matches.sort((a, b) => rank(a) - rank(b))
  return matches[0] ?? null
}

function matchKey(key: string, method: string, segments: readonly string[]): Record<string, string> | null {
  if (key === '$default') return {}
  const [routeMethod, routePath = ''] = key.split(' ')
  if (routeMethod !== method && routeMethod !== 'ANY') return null
  const pattern = routePath.split('/').slice(1)
  const greedy = /^\{(.+)\+\}$/.exec(pattern.at(-1) ?? '')?.[1]
  if (greedy !== undefined) {
    const before = matchSegments(pattern.slice(0, -1), segments.slice(0, pattern.length - 1))
    return before && segments.length >= pattern.length
      ? {
          ...before,
          [greedy]: segments
            .slice(pattern.length - 1)
            .map(decodeSegment)
            .join('/'),
        }
      : null
  }
  return matchSegments(pattern, segments)
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | null {
  if (pattern.length !== segments.length) return null
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ''
    const parameter = /^\{(.+)\}$/.exec(part)?.[1]
    if (parameter === undefined && part !== segment) return null
    if (parameter !== undefined) parameters[parameter] = decodeSegment(segment)
  }
  return parameters
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
