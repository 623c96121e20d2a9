/** The settings of cdk.json that carry a rate. Pure. */
import type { ResourceLoad } from './capacity-model.ts'

type Settings = { [name: string]: Settings | number }

/** Room above the load, because mail does not arrive evenly. */
const headroom = 1.25

/** The highest value of a setting of concurrency in infra/config.ts; a number of tasks has the same. */
const maximumValue = 1000

/** @returns the settings, and the loads that no setting of cdk.json carries */
export function settingsFor(loads: readonly ResourceLoad[]): {
  settings: Settings
  without: readonly ResourceLoad[]
} {
  const settings: Settings = {}
  const without: ResourceLoad[] = []
  for (const load of loads.filter(({ percent, remedy }) => percent > 100 && remedy !== 'Request'))
    if (load.remedy === 'Setting' && load.needed !== undefined)
      setIn(settings, load.of.split('.'), load.needed)
    else if (load.remedy === 'Setting') {
      // Two loads may have the same setting; the larger one counts.
      const needed = Math.ceil(
        load.measure.includes('of a task') ? load.limit * (load.percent / 100) : load.load * headroom,
      )
      setIn(settings, load.of.split('.'), Math.min(needed, maximumValue))
      if (needed > maximumValue) without.push(load)
    } else without.push(load)
  return { settings, without }
}

function setIn(settings: Settings, [name = '', ...rest]: readonly string[], value: number): void {
  const inner = settings[name]
  if (rest.length === 0) {
    settings[name] = Math.max(typeof inner === 'number' ? inner : 0, value)
    return
  }
  const group = typeof inner === 'object' ? inner : {}
  settings[name] = group
  setIn(group, rest, value)
}
