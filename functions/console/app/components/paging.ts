/** Pages and the order of rows, in the address of a view. Pure. */

export interface Page<T> {
  items: readonly T[]
  /** From 1. */
  number: number
  count: number
}

/** @param number as the address has it; a page that does not exist is the nearest one */
export function pageOf<T>(items: readonly T[], number: string | undefined, size: number): Page<T> {
  const count = Math.max(1, Math.ceil(items.length / size))
  const wanted = Number(number)
  const shown = Number.isInteger(wanted) ? Math.min(Math.max(wanted, 1), count) : 1
  return { items: items.slice((shown - 1) * size, shown * size), number: shown, count }
}

export type SortValue = string | number | null

/** Equal values keep their order; null is last in both orders. */
export function sortedBy<T>(
  items: readonly T[],
  sortValue: (item: T) => SortValue,
  isDescending: boolean,
): readonly T[] {
  const sign = isDescending ? -1 : 1
  return items
    .map((item) => ({ item, value: sortValue(item) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null)
      return sign * compareValues(a.value, b.value)
    })
    .map(({ item }) => item)
}

const compareValues = (a: string | number, b: string | number): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : textOrder.compare(String(a), String(b))

const textOrder = new Intl.Collator('en')
