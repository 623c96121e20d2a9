/** Turns the result of a write into a response. */
import type { RemoveResult, SaveResult } from '../../../shared/connectors-table/repository.ts'
import { Problem } from '../../../shared/http-api/problem.ts'
import { entityTag } from '../request.ts'
import type { Answer } from '../route.ts'

export const found = <T extends { version: number }>(value: T): Answer => ({
  status: 200,
  headers: { etag: entityTag(value) },
  body: value,
})

export const created = <T extends { version: number }>(value: T, location: string): Answer => ({
  ...found(value),
  status: 201,
  headers: { etag: entityTag(value), location },
})

/** @throws Problem unless it was saved */
export function savedOrProblem<T>(saved: SaveResult<T>, what: string): T {
  switch (saved.kind) {
    case 'Saved':
      return saved.value
    case 'NotFound':
      throw notFound(what)
    case 'VersionMismatch':
      throw changed(what)
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

/** @throws Problem unless it was removed */
export function removedOrProblem(removed: RemoveResult, what: string): Answer {
  if (removed.kind === 'Removed') return { status: 204 }
  throw removed.kind === 'NotFound' ? notFound(what) : changed(what)
}

export const notFound = (what: string): Problem => new Problem(404, `There is no such ${what}.`)

const changed = (what: string): Problem =>
  new Problem(412, `The version of the ${what} is not the one in If-Match. GET it again.`)
