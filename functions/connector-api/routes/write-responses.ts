/** Turns the result of a write into a response. */
import type { PreviewResult, RemoveResult, SaveResult } from '../../../shared/connectors-table/repository.ts'
import type { ExpectedVersions } from '../../../shared/contract/expected-versions.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { entityTag } from '../../../shared/http-api/request.ts'
import type { RouteResponse } from '../../../shared/http-api/route.ts'

export const okResponse = <T extends { version: number }>(value: T): RouteResponse => ({
  status: 200,
  headers: { etag: entityTag(value) },
  body: value,
})

export const createdResponse = <T extends { version: number }>(
  value: T,
  location: string,
): RouteResponse => ({
  ...okResponse(value),
  status: 201,
  headers: { etag: entityTag(value), location },
})

/** @throws Problem when the value was not saved, or a preview could not be saved */
export function savedValue<T>(saved: SaveResult<T> | PreviewResult<T>, resourceName: string): T {
  switch (saved.kind) {
    case 'Saved':
    case 'Previewed':
      return saved.value
    case 'NotFound':
      throw notFoundProblem(resourceName)
    case 'VersionMismatch':
      throw versionMismatch(resourceName)
    case 'NameTaken':
      throw new Problem(409, 'Another connector has this name.', {
        errors: [{ path: 'name', message: 'is taken; letter case is ignored' }],
      })
    case 'TooLarge':
      throw new Problem(422, 'The body is too large to be stored.', {
        errors: [{ path: '', message: 'exceeds 390000 octets in total; split it' }],
      })
  }
}

/** @throws Problem when the resource was not removed */
export function removedResponse(removed: RemoveResult, resourceName: string): RouteResponse {
  if (removed.kind === 'Removed') return { status: 204 }
  throw removed.kind === 'NotFound' ? notFoundProblem(resourceName) : versionMismatch(resourceName)
}

export const notFoundProblem = (resourceName: string): Problem =>
  new Problem(404, `There is no such ${resourceName}.`)

/** @throws Problem 412 */
export function checkVersion(
  { version }: { version: number },
  expected: ExpectedVersions,
  resourceName: string,
): void {
  if (expected !== 'any' && !expected.includes(version)) throw versionMismatch(resourceName)
}

const versionMismatch = (resourceName: string): Problem =>
  new Problem(412, `The version of the ${resourceName} is not the one in If-Match. GET it again.`)
