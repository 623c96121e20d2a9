/**
 * Records the calls of AWS that one message needs: `npm run record:calls [-- --rate N --seconds N --size OCTETS
 * --only ROUTE]`. Writes `recordings/`.
 */
import { parseArgs } from 'node:util'
import { recordIngressRates } from './ingress-rates.ts'
import { recordIdle, recordRoute } from './record-calls.ts'
import { routes, writeRecording } from './recording.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    size: { type: 'string', default: '50000' },
    only: { type: 'string' },
  },
})

const isSelected = (name: string) => values.only === undefined || values.only === name
const progress = (line: string) => process.stderr.write(`${line}\n`)
const messageOctets = Number(values.size)
/** Messages per second of one ingress task. */
const ingressRates = [5, 10, 25, 50, 100, 200, 400]

if (isSelected('ingress'))
  writeRecording('ingress', await recordIngressRates(ingressRates, 10, messageOctets, progress))
for (const route of routes.filter(isSelected))
  writeRecording(
    route,
    await recordRoute(
      {
        route,
        messagesPerSecond: Number(values.rate),
        seconds: Number(values.seconds),
        messageOctets,
      },
      progress,
    ),
  )
if (isSelected('idle')) writeRecording('idle', await recordIdle(150))
process.exit()
