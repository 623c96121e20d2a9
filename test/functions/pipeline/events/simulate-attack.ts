/**
 * Prints what an attack costs in events, and whether they say the true number of refused sessions:
 *
 *   npm run simulate:attack -- [--rate N] [--seconds N]
 */
import { parseArgs } from 'node:util'
import { attacks, maxBurst, maxEventsPerSecond, simulateAttack } from './attack.ts'

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '120' } },
})
const [rate, seconds] = [Number(values.rate), Number(values.seconds)]
const rows: object[] = []
for (const attack of attacks) {
  const result = await simulateAttack(attack, rate, seconds)
  const isExact = result.counted === result.refused
  const isBounded =
    result.maxPerSecond <= maxEventsPerSecond && result.events <= maxBurst + seconds * maxEventsPerSecond
  if (!isExact || !isBounded) process.exitCode = 1
  rows.push({
    from: attack.name,
    ...result,
    'events/s': Number((result.events / seconds).toFixed(1)),
    exact: isExact,
    bounded: isBounded,
  })
}
console.log(
  `${rate} refused sessions per second for ${seconds} s; bound: ${maxEventsPerSecond} events per second after a burst of ${maxBurst}`,
)
console.table(rows)
