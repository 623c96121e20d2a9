/** Compares a short run with a recording, so that a new call of AWS is noticed. Pure. */
import { type Call, nameOfCall, type Recording } from './recording.ts'

/** Calls that are rarer than this for each message depend on time and chance; a short run may lack them. */
const rare = 0.05
/** A recorded call that is at least this frequent must occur in a run. */
const frequent = 0.5
/** Permitted difference of a call's units for each message: the larger of both. */
const tolerance = { relative: 0.3, absolute: 0.4 }
/**
 * The same for facts about a host or domain. Caches of them expire by time, and the messages of a batch share their
 * writes, so that their number differs from run to run.
 */
const hostTolerance = { relative: 0.3, absolute: 1 }

/** Jobs of an invocation for which units are compared. */
const jobs = 4

const unitsOf = ({ perBatch, perMessage }: Call): number => perBatch.units / jobs + perMessage.units
const frequencyOf = ({ perBatch, perMessage }: Call): number =>
  Math.max(perBatch.requests + perMessage.requests, perBatch.entries + perMessage.entries)

/** How often messages share these calls depends on the moment of their arrival. */
const isShared = ({ unit, operation }: Call): boolean =>
  unit === 'event-source' ||
  (unit === 'smtp-ingress' && ['PutObject', 'SendMessageBatch'].includes(operation))

/** @returns a line for each difference that the recording does not explain */
export function differences(recorded: Recording, observed: Recording): string[] {
  const recordedCalls = new Map(recorded.calls.map((call) => [nameOfCall(call), call]))
  const observedCalls = new Map(observed.calls.map((call) => [nameOfCall(call), call]))
  const added = [...observedCalls]
    .filter(([name, call]) => !recordedCalls.has(name) && frequencyOf(call) >= rare)
    .map(([name, call]) => `new: ${name}, ${unitsOf(call).toFixed(2)} units per message`)
  const missing = [...recordedCalls]
    .filter(([name, call]) => !observedCalls.has(name) && frequencyOf(call) >= frequent)
    .map(([name]) => `missing: ${name}`)
  const changed = [...recordedCalls].flatMap(([name, call]) => {
    const other = observedCalls.get(name)
    if (other === undefined || isShared(call)) return []
    const [before, after] = [unitsOf(call), unitsOf(other)]
    const { absolute, relative } = call.key.includes('<host>') ? hostTolerance : tolerance
    const isClose = Math.abs(after - before) <= Math.max(absolute, relative * before)
    return isClose
      ? []
      : [`changed: ${name}, ${before.toFixed(2)} units per message became ${after.toFixed(2)}`]
  })
  return [...added, ...missing, ...changed]
}

export interface Drift {
  readonly name: string
  readonly before: number
  readonly after: number
}

/** The units of every call for each message in both recordings, the largest difference first. */
export function drifts(recorded: Recording, observed: Recording): Drift[] {
  const both = [recorded, observed].map(
    ({ calls }) => new Map(calls.map((call): [string, number] => [nameOfCall(call), unitsOf(call)])),
  ) as [Map<string, number>, Map<string, number>]
  const names = new Set(both.flatMap((calls) => [...calls.keys()]))
  return [...names]
    .map((name) => ({ name, before: both[0].get(name) ?? 0, after: both[1].get(name) ?? 0 }))
    .sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before))
}
