/** `/caller`: who sends the request, and what this person may do. */
import * as z from 'zod'
import { Role } from '../../../shared/contract/roles.ts'
import { type Route, route } from '../../../shared/http-api/route.ts'

export const CallerAnswer = z.strictObject({
  name: z.string().describe('IAM principal, or subject of the token'),
  roles: z
    .array(Role)
    .nullable()
    .describe("of a person who signed in; null: IAM's policies decide about the requests of this principal"),
})

export const callerRoute = (): Route =>
  route(
    {
      method: 'GET',
      path: '/caller',
      role: 'read',
      summary: 'Read who sends this request, and with which roles',
      answers: { 200: CallerAnswer },
    },
    async ({ caller, callerRoles }) => ({
      status: 200,
      body: { name: caller, roles: callerRoles && [...callerRoles] } satisfies z.input<typeof CallerAnswer>,
    }),
  )
