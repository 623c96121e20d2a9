/**
 * The rate of delivery, and the delay that a hanging partner causes: `npm run bench:delivery [-- --rounds N --seconds N
 * --rate N --slots N --only reuse|hanging]`. Prints Markdown tables. Only figures of one run can be compared.
 */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { defaultSlots, measureHanging } from './delivery-hanging.ts'
import { measureReuse } from './delivery-reuse.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    /** Messages per second to each of the twenty partners. */
    rate: { type: 'string', default: '2' },
    /** Concurrent deliveries to one destination. */
    slots: { type: 'string', default: String(defaultSlots) },
    only: { type: 'string' },
  },
})
const rounds = Number(values.rounds)

if (values.only !== 'hanging') console.log(await measureReuse(rounds, Number(values.seconds)))
if (values.only !== 'reuse') {
  const [perSecond, slots] = [Number(values.rate), Number(values.slots)]
  console.log(`\n${await measureHanging({ rounds, perSecond, slots })}`)
}
const load = loadavg()[0]?.toFixed(1)
console.log(
  `\n${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load average at the end ${load}`,
)
