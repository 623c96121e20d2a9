/** Edits sorted lists, and maps of sorted lists, without a change of the originals. */
import { LayeredMap } from './layered-map.ts'

/** Items that leave and join a list. An item that changes leaves and joins. */
export interface Edit<T> {
  readonly removed: readonly T[]
  /** In the order of the list that they join. */
  readonly added: readonly T[]
}

export type Order<T> = (first: T, second: T) => number

export const isEmptyEdit = <T>({ removed, added }: Edit<T>): boolean =>
  removed.length === 0 && added.length === 0

export const filterEdit = <T>({ removed, added }: Edit<T>, select: (item: T) => boolean): Edit<T> => ({
  removed: removed.filter(select),
  added: added.filter(select),
})

export const mapEdit = <T, U>({ removed, added }: Edit<T>, map: (item: T) => U): Edit<U> => ({
  removed: removed.map(map),
  added: added.map(map),
})

export const sortEdit = <T>({ removed, added }: Edit<T>, order: Order<T>): Edit<T> => ({
  removed,
  added: added.toSorted(order),
})

/** @param list sorted */
export const editList = <T>(list: readonly T[], edit: Edit<T>, order: Order<T>): readonly T[] =>
  isEmptyEdit(edit) ? list : editSorted(list, new Set(edit.removed), edit.added, order)

/**
 * Edits the lists of a map from a key to the items with that key.
 * @param keysOf each key once
 */
export function editLists<T>(
  lists: LayeredMap<readonly T[]>,
  edit: Edit<T>,
  keysOf: (item: T) => Iterable<string>,
  order: Order<T>,
): LayeredMap<readonly T[]> {
  const added = groupByKey(edit.added, keysOf)
  if (lists.isEmpty) return new LayeredMap(added)
  const removed = groupByKey(edit.removed, keysOf)
  const edits = new Map<string, readonly T[] | undefined>()
  for (const key of removed.size === 0 ? added.keys() : new Set([...removed.keys(), ...added.keys()])) {
    const leaving = removed.get(key)
    const list = editSorted(lists.get(key) ?? [], leaving && new Set(leaving), added.get(key) ?? [], order)
    edits.set(key, list.length === 0 ? undefined : list)
  }
  return lists.with(edits)
}

function groupByKey<T>(items: readonly T[], keysOf: (item: T) => Iterable<string>): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items)
    for (const key of keysOf(item)) {
      const group = groups.get(key)
      if (group) group.push(item)
      else groups.set(key, [item])
    }
  return groups
}

/** @param list, added sorted */
function editSorted<T>(
  list: readonly T[],
  removed: ReadonlySet<T> | undefined,
  added: readonly T[],
  order: Order<T>,
): readonly T[] {
  const kept = removed === undefined ? list : list.filter((item) => !removed.has(item))
  if (kept.length === 0) return added
  const result = [...kept]
  for (const item of added) result.splice(positionFor(item, result, order), 0, item)
  return result
}

function positionFor<T>(item: T, list: readonly T[], order: Order<T>): number {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(list[middle] as T, item) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
