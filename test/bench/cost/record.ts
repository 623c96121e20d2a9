/**
 * Records the calls of AWS that one message needs: `npm run record:calls [-- --rate N --seconds N --size OCTETS
 * --only ROUTE]`. Writes `recordings/`.
 */
import { parseArgs } from 'node:util'
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

for (const route of routes.filter((each) => values.only === undefined || values.only === each))
  writeRecording(
    route,
    await recordRoute(
      {
        route,
        messagesPerSecond: Number(values.rate),
        seconds: Number(values.seconds),
        messageOctets: Number(values.size),
      },
      (line) => process.stderr.write(`${line}\n`),
    ),
  )
if (values.only === undefined || values.only === 'idle') writeRecording('idle', await recordIdle(150))
process.exit()
