/** What the person may do. The API decides about each request; the console only does not offer what it would refuse. */
import { allowsRole } from '../../../../shared/contract/allows-role.ts'
import type { Role } from '../../../../shared/contract/roles.ts'
import type { CallerAnswer } from './types.ts'
import { useRead } from './use-api.ts'

/** @returns whether the person has a role; false until this is known */
export function useMay(role: Role): boolean {
  const { data } = useRead<CallerAnswer>('/caller')
  if (data === undefined) return false
  return data.roles === null || allowsRole(data.roles, role)
}
