/** When something was refused, from the id of its event. Pure. */

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const minuteMs = 60_000

/** Whether the refusal can be found by its id. */
export const isUlid = (id: string): boolean => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id)

/**
 * Returns a period in which the refusal happened (ISO 8601); null if the id has no time. The id is made within a second.
 * Refusals that are counted together have the beginning of their minute.
 */
export function periodOfRefusal(id: string): { from: string; to: string } | null {
  if (!isUlid(id)) return null
  const time = [...id.slice(0, 10)].reduce((sum, digit) => sum * 32 + digits.indexOf(digit), 0)
  return { from: new Date(time - minuteMs).toISOString(), to: new Date(time + 1000).toISOString() }
}
