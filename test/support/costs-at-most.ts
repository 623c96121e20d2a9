/** Limits of what a hostile input may cost, which `npm run bench:costs` measures and other runs do not. */
const measures = process.env.MEASURE_COSTS === '1'

/** Runs the work. @param ms of processor time, on any thread */
export async function costsAtMost<T>(ms: number, work: () => T | Promise<T>): Promise<T> {
  const begun = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(begun)
  const cost = Math.ceil((user + system) / 1000)
  if (measures) console.log(`${cost} of at most ${ms} ms`)
  if (measures && cost > ms) throw new Error(`costs ${cost} ms of processor time, ${ms} are allowed`)
  return result
}
