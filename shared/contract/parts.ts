export interface PartLimits {
  items: number
  octets: number
}

/**
 * Cuts a list, in order, into parts within both limits. An item above the limit of octets is the only item of its part.
 */
export function splitIntoParts<T>(
  limits: PartLimits,
  items: readonly T[],
  octetsOf: (item: T) => number,
): [T, ...T[]][] {
  const parts: [T, ...T[]][] = []
  let octets = 0
  for (const item of items) {
    const itemOctets = octetsOf(item)
    const part = parts.at(-1)
    if (part && part.length < limits.items && octets + itemOctets <= limits.octets) {
      part.push(item)
      octets += itemOctets
    } else {
      parts.push([item])
      octets = itemOctets
    }
  }
  return parts
}
