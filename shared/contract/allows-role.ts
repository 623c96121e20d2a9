/** What each role includes. The console loads this file, so it imports nothing: zod would evaluate code in the page. */

export const roleNames = ['read', 'operate', 'administer', 'audit'] as const
type RoleName = (typeof roleNames)[number]

const includedRoles: Readonly<Record<RoleName, readonly RoleName[]>> = {
  read: ['read'],
  operate: ['operate', 'read'],
  administer: ['administer', 'operate', 'read'],
  audit: ['audit', 'read'],
}

/** Whether a caller with these roles may use a route that needs the role `needed`. */
export const allowsRole = (roles: readonly RoleName[], needed: RoleName): boolean =>
  roles.some((role) => includedRoles[role].includes(needed))
