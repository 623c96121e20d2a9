/** Where the processor time of the outbound SMTP client is spent, from a V8 CPU profile. */

/** The fields of a `.cpuprofile` that are used. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[]
  samples?: number[] | undefined
  /** Microseconds from the sample before to each sample. */
  timeDeltas?: number[] | undefined
}

export const originNames = {
  client: 'shared/',
  packages: 'npm packages',
  tls: "Node's TLS",
  sockets: 'rest of Node',
  native: 'native code',
  collector: 'garbage collector',
  load: 'load',
} as const

export type Origin = keyof typeof originNames

/** Microseconds by origin. Idle time is not counted. */
export function timesByOrigin({ nodes, samples = [], timeDeltas = [] }: CpuProfile): Record<Origin, number> {
  const originById = new Map(nodes.map(({ id, callFrame }) => [id, originOf(callFrame)]))
  const times = { client: 0, packages: 0, tls: 0, sockets: 0, native: 0, collector: 0, load: 0 }
  samples.forEach((id, index) => {
    const origin = originById.get(id)
    // A delta is the time since the sample before, during which that sample's function is assumed to have run.
    if (origin) times[origin] += timeDeltas[index + 1] ?? 0
  })
  return times
}

/** Node's sockets and OpenSSL run below native functions, which have no file, and below `(program)`. */
function originOf({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): Origin | null {
  if (functionName === '(idle)' || functionName === '(root)') return null
  if (functionName === '(garbage collector)') return 'collector'
  if (url === '') return 'native'
  if (url.startsWith('node:')) return /tls|crypto/.test(url) ? 'tls' : 'sockets'
  if (url.includes('/node_modules/')) return 'packages'
  return url.includes('/shared/') ? 'client' : 'load'
}

/** @returns microseconds for each message, and the shares, as the cells of a table's row */
export function formatTimes(times: Record<Origin, number>, messages: number): string[] {
  const all = Object.values(times).reduce((sum, time) => sum + time, 0)
  const cells = Object.keys(originNames).map((origin) => {
    const time = times[origin as Origin]
    return `${(time / messages).toFixed(0)} (${((100 * time) / all).toFixed(0)} %)`
  })
  return [...cells, (all / messages).toFixed(0)]
}
