/**
 * Measures what a server with all its processes has used, from Linux's /proc. Processor time: the time of each living
 * thread, in nanoseconds (`schedstat`), and the time of ended processes, which is added to the parent that waited for
 * them (`cutime` and `cstime` of `stat`). Memory: the sum of the proportional set sizes, which count shared memory
 * once.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** @returns the process and its living descendants */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? statOf(pid)?.parent : undefined
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** @returns seconds of processor time since the process began. A process that ends during the call may be missed. */
export function processorSeconds(root: number): number {
  return processTree(root)
    .map((pid) => (statOf(pid)?.secondsOfChildren ?? 0) + secondsOfThreads(pid))
    .reduce((sum, seconds) => sum + seconds, 0)
}

/** @returns octets */
export function proportionalSetSize(root: number): number {
  return processTree(root)
    .map((pid) => Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024)
    .reduce((sum, octets) => sum + octets, 0)
}

/** Clock ticks per second, on every processor that Node supports. */
const ticksPerSecond = 100

function statOf(pid: number): { parent: number; secondsOfChildren: number } | null {
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? []
  if (fields.length < 15) return null
  const [parent, userOfChildren, systemOfChildren] = [fields[1], fields[13], fields[14]].map(Number)
  return {
    parent: parent ?? 0,
    secondsOfChildren: ((userOfChildren ?? 0) + (systemOfChildren ?? 0)) / ticksPerSecond,
  }
}

const secondsOfThreads = (pid: number): number =>
  names(`/proc/${pid}/task`)
    .map((thread) => Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1e9)
    .reduce((sum, seconds) => sum + seconds, 0)

/** @returns an empty text when the process has ended meanwhile, or belongs to another user */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
