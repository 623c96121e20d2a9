/** Locates values in a YAML document. */
import { isAlias, isMap, isNode, isScalar, isSeq, type ParsedNode } from 'yaml'

export type Path = readonly (string | number)[]

/** @returns the offset of the value at `path`, or of its nearest existing parent */
export function offsetOf(root: ParsedNode | null, path: Path): number {
  let node: unknown = root
  let offset = root?.range[0] ?? 0
  for (const segment of path) {
    // A fault inside an aliased value is reported at the alias.
    if (isAlias(node)) break
    const child = findChild(node, segment)
    if (child === null) break
    offset = child.offset
    node = child.node
  }
  return offset
}

function findChild(node: unknown, segment: string | number): { node: unknown; offset: number } | null {
  if (isSeq(node) && typeof segment === 'number') {
    const item = node.items[segment]
    return isNode(item) && item.range ? { node: item, offset: item.range[0] } : null
  }
  if (!isMap(node)) return null
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment))
  return isScalar(pair?.key) && pair.key.range ? { node: pair.value, offset: pair.key.range[0] } : null
}
