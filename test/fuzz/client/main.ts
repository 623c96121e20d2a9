/**
 * Fuzzes the SMTP client without sockets: `npm run fuzz:client [-- --seed N [--session N]]`. FUZZ_SESSIONS sets the
 * number of sessions, by default 100,000. In three of five sessions the server follows the protocol. There, the messages
 * that it has accepted must be those that the client reports. In the others the server alters its replies. In all
 * sessions, connections end and time limits are reached at any moment. Exits with 1 at the first session that fails, and
 * prints how to repeat it.
 */
import { parseArgs } from 'node:util'
import { Random } from '../../support/random.ts'
import { RandomSession } from './random-session.ts'
import type { SeenTransaction } from './seen-transaction.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string', default: String(Date.now() % 2 ** 31) }, session: { type: 'string' } },
})
const seed = wholeNumber('--seed', values.seed)
const sessions = wholeNumber('FUZZ_SESSIONS', process.env.FUZZ_SESSIONS ?? '100000')
const totals = {
  overTls: 0,
  messages: 0,
  inUsedSessions: 0,
  delivered: 0,
  refused: 0,
  deferred: 0,
  unanswered: 0,
  notBegun: 0,
  chunkingFaults: 0,
}

console.log(`seed ${seed}: ${sessions} sessions`)
const startedAt = performance.now()
if (values.session !== undefined) await play(wholeNumber('--session', values.session))
else for (let session = 0; session < sessions; session++) await play(session)
const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
console.log(
  `${Object.entries(totals)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')} in ${seconds} s`,
)
const missing = Object.entries(totals).filter(([, count]) => count === 0)
if (sessions >= 1000 && values.session === undefined && missing.length > 0)
  fail(`no session has ${missing.map(([name]) => name).join(', ')}`)

async function play(number: number): Promise<void> {
  const session = new RandomSession(new Random(seed, number))
  await session
    .play()
    .catch((error) =>
      fail(
        `${error instanceof Error ? error.stack : error}\nrepeat: npm run fuzz:client -- --seed ${seed} --session ${number}`,
      ),
    )
  if (session.isSecure) totals.overTls++
  totals.inUsedSessions += Math.max(0, session.transactions.length - 1)
  for (const transaction of session.transactions) count(transaction)
}

function count({ result }: SeenTransaction): void {
  if (!result) return
  totals.messages++
  for (const { code } of result.replies.values())
    totals[code < 300 ? 'delivered' : code < 500 ? 'deferred' : 'refused']++
  totals.unanswered += result.unanswered.length
  if (result.isNotBegun) totals.notBegun++
  if (result.chunkingFault) totals.chunkingFaults++
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  process.stderr.write(`${name}: ${text} is not a whole number\n`)
  process.exit(2)
}

function fail(reason: string): never {
  console.error(`seed ${seed}: ${reason}`)
  process.exit(1)
}
