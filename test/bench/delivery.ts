/**
 * The rate of delivery, and the delay that a hanging partner causes: `npm run bench:delivery [-- --rounds N --seconds N
 * --rate N --slots N --tarpits N,N --only fleet|reuse|hanging|tarpit]`. Prints Markdown tables. Only figures of one run can be compared.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { measureFleet } from './delivery-fleet.ts'
import { defaultSlots, measureHanging } from './delivery-hanging.ts'
import { measureReuse } from './delivery-reuse.ts'
import { measureTarpits } from './delivery-tarpit.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    /** Messages per second to each of the twenty partners. */
    rate: { type: 'string', default: '2' },
    /** Concurrent deliveries to one destination. */
    slots: { type: 'string', default: String(defaultSlots) },
    /** Numbers of domains that hang, a measurement each. */
    tarpits: { type: 'string', default: '0,10,100,1000' },
    only: { type: 'string' },
  },
})
const rounds = Number(values.rounds)

const isSelected = (name: string) => values.only === undefined || values.only === name

if (isSelected('fleet')) console.log(`${await measureFleet(5 * Number(values.seconds))}\n`)
if (isSelected('reuse')) console.log(await measureReuse(rounds, Number(values.seconds)))
if (isSelected('hanging')) {
  const [perSecond, slots] = [Number(values.rate), Number(values.slots)]
  console.log(`\n${await measureHanging({ rounds, perSecond, slots })}`)
}
if (isSelected('tarpit')) {
  const domains = values.tarpits.split(',').map(Number)
  console.log(`\n${await measureTarpits({ domains, messages: 60 })}`)
}
const load = loadavg()[0]?.toFixed(1)
console.log(
  `\n${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load average at the end ${load}`,
)
