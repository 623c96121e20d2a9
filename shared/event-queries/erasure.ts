/** The routes of erasures, for the function that has them and for the OpenAPI document. */
import { Erasure } from '../events/erasures.ts'
import type { RouteDescription } from '../http-api/route.ts'

export const StartedErasure = Erasure.pick({ id: true, state: true })

export const eraseAddress = {
  method: 'DELETE',
  path: '/addresses/{address}',
  role: 'administer',
  summary:
    'Erase what is stored of a mail address: events, trace, content, results of searches, dead letters. It runs for minutes. 409 while mail of the address is neither delivered nor bounced',
  answers: { 202: StartedErasure },
  problems: [400, 409],
} as const satisfies RouteDescription

export const readErasure = {
  method: 'GET',
  path: '/erasures/{id}',
  role: 'administer',
  summary: 'Read the state of an erasure. It does not have the address',
  answers: { 200: Erasure },
  problems: [404],
} as const satisfies RouteDescription
