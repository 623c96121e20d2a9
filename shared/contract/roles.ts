/** The roles of the API's callers. */
import * as z from 'zod'
import { roleNames } from './allows-role.ts'
import { parseJson } from './parse-json.ts'

export const Role = z.enum(roleNames)
export type Role = z.output<typeof Role>

/** How a token gives roles to a person: the name of a claim, and the roles of each of its values. */
export const RoleMapping = z.strictObject({
  claim: z.string().min(1),
  mapping: z.record(z.string(), z.array(Role)),
})
export type RoleMapping = z.output<typeof RoleMapping>

/**
 * Reads the variable SIGN_IN_ROLES.
 * @returns null without the variable: then no token has a role
 * @throws Error when it is not a `RoleMapping` as JSON, so that the function does not start
 */
export function readRoleMapping(text: string | undefined): RoleMapping | null {
  if (text === undefined) return null
  const { data } = RoleMapping.safeParse(parseJson(text))
  if (data === undefined) throw new Error('environment: SIGN_IN_ROLES is not a mapping of roles')
  return data
}
