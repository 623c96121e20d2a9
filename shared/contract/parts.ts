export interface PartLimits {
  items: number
  octets: number
}

/** Cuts a list, in order, into parts within both limits. An item above the limit is a part by itself. */
export function partsWithin<T>(
  limits: PartLimits,
  items: readonly T[],
  octetsOf: (item: T) => number,
): [T, ...T[]][] {
  const parts: [T, ...T[]][] = []
  let octets = 0
  for (const item of items) {
    const size = octetsOf(item)
    const part = parts.at(-1)
    if (part && part.length < limits.items && octets + size <= limits.octets) {
      part.push(item)
      octets += size
    } else {
      parts.push([item])
      octets = size
    }
  }
  return parts
}
