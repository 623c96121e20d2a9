/** The roles of the API's callers, and what each role includes. */
import * as z from 'zod'
import { parseJson } from './parse-json.ts'

export const Role = z.enum(['read', 'operate', 'administer', 'audit'])
export type Role = z.output<typeof Role>

const includedRoles: Readonly<Record<Role, readonly Role[]>> = {
  read: ['read'],
  operate: ['operate', 'read'],
  administer: ['administer', 'operate', 'read'],
  audit: ['audit', 'read'],
}

/** Whether a caller with these roles may use a route that needs the role `needed`. */
export const allowsRole = (roles: readonly Role[], needed: Role): boolean =>
  roles.some((role) => includedRoles[role].includes(needed))

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
