/** Finds the route for a request, and authorises its caller. */
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { RoleMapping } from '../contract/roles.ts'
import { authorise } from './caller.ts'
import { Problem } from './problem.ts'
import type { Route, RouteResponse } from './route.ts'

/**
 * @throws Problem 404 for an unknown path, 405 for another method, 400 for wrong percent-encoding, 403 for a caller
 * without the route's role
 */
export function createRouter(
  routes: readonly Route[],
  mapping: RoleMapping | null,
): (event: APIGatewayProxyEventV2) => Promise<RouteResponse> {
  return async (event) => {
    const { method } = event.requestContext.http
    const matching = routes.flatMap((route) => {
      const parameter = parameterOf(route.path, event.rawPath)
      return parameter === null ? [] : [{ route, parameter }]
    })
    if (matching.length === 0)
      throw new Problem(404, 'No resource has this path. GET /openapi.json lists all paths.')
    const match = matching.find(({ route }) => route.method === method)
    if (match) {
      const caller = authorise(event, match.route.role, mapping)
      return match.route.run(event, match.parameter, caller)
    }
    const allow = matching.map(({ route }) => route.method).join(', ')
    throw new Problem(405, `This path allows only ${allow}.`, { headers: { allow } })
  }
}

/** @returns the path's parameter; '' if the template has none; null if the path does not match */
function parameterOf(template: string, path: string): string | null {
  const templateParts = template.split('/')
  const pathParts = path.split('/')
  if (templateParts.length !== pathParts.length) return null
  let parameter = ''
  for (const [index, part] of templateParts.entries()) {
    const value = pathParts[index] ?? ''
    if (part.startsWith('{') && value !== '') parameter = decodeSegment(value)
    else if (part !== value) return null
  }
  return parameter
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Problem(400, 'The path is not correctly percent-encoded.')
  }
}
