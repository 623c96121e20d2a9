/**
 * The load of `npm run bench:client`, in its own process: sessions of the outbound SMTP client, each of which sends one
 * message after another, as the sessions of a batch do. The argument is the folder of the checkout whose client is
 * measured.
 */
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { opportunistic } from '../../shared/tls/requirement.ts'
import { message, recipient } from '../support/fixtures.ts'
import type { CpuProfile } from './client-profile.ts'
import { sampleMessage } from './load.ts'

export interface ClientLoad {
  port: number
  /** The authority of the server's certificate, in PEM; null for sessions in the clear. */
  ca: string | null
  sessions: number
  kilobytes: number
  /** Milliseconds. */
  durationMs: number
  /** Whether to record a profile, which slows the client down. */
  isProfiled: boolean
}

export interface ClientResult {
  messages: number
  /** From the first MAIL to the last reply. */
  milliseconds: number
  /** Microseconds of processor time of the whole process in that time. */
  processor: number
  /** Null without a profile. */
  profile: CpuProfile | null
}

export type ClientAnswer = { kind: 'Ran'; result: ClientResult } | { kind: 'Failed'; cause: string }

/** The name in the certificate of the server. */
export const serverName = 'mx.partner.example'

const [checkout = ''] = process.argv.slice(2)
const importFrom = (path: string) => import(pathToFileURL(join(checkout, path)).href)

type OpenSession = typeof import('../../shared/net/smtp-session.ts').openSession
type Budgets = typeof import('../../shared/net/attempt-budget.ts')
type SmtpSession = import('../../shared/net/smtp-session.ts').SmtpSession

const timeouts = { connect: 10_000, greeting: 10_000, command: 10_000, data: 10_000 }

async function run(load: ClientLoad): Promise<ClientResult> {
  const { openSession }: { openSession: OpenSession } = await importFrom('shared/net/smtp-session.ts')
  const budgets: Budgets = await importFrom('shared/net/attempt-budget.ts')
  const sessions = await Promise.all(Array.from({ length: load.sessions }, () => open(openSession, load)))
  const content = sampleMessage(load.kilobytes * 1024).subarray(0, -3)
  const stopProfiler = load.isProfiled ? await startProfiler() : async () => null
  const processorBefore = process.cpuUsage()
  const startedAt = performance.now()
  const end = startedAt + load.durationMs
  const counts = await Promise.all(sessions.map((session) => sendUntil(end, session, content, budgets)))
  const milliseconds = performance.now() - startedAt
  const { user, system } = process.cpuUsage(processorBefore)
  const profile = await stopProfiler()
  for (const session of sessions) session.close()
  await Promise.all(sessions.map(({ closed }) => closed))
  const messages = counts.reduce((sum, count) => sum + count, 0)
  return { messages, milliseconds, processor: user + system, profile }
}

async function open(openSession: OpenSession, { port, ca }: ClientLoad): Promise<SmtpSession> {
  const opening = await openSession(
    { host: serverName, ip: '127.0.0.1', port },
    {
      ehloName: 'mail.ours.example',
      enforced:
        ca === null
          ? opportunistic
          : {
              ...opportunistic,
              level: 'DomainValidation',
              names: [serverName],
              certificateAuthorities: [ca],
            },
      serverName,
      timeouts,
      signal: new AbortController().signal,
    },
  )
  if (opening.kind !== 'Admitted') throw new Error(`no session: ${JSON.stringify(opening)}`)
  return opening.session
}

/** @returns the number of messages */
async function sendUntil(
  end: number,
  session: SmtpSession,
  content: Buffer,
  { AttemptBudget, attemptLimits }: Budgets,
): Promise<number> {
  const { envelope } = message()
  const mail = { envelope, size: content.length, isEightBit: false, isInternationalised: false }
  const recipients = [recipient({ address: 'b@partner.example' })]
  for (let count = 1; ; count++) {
    const budget = new AttemptBudget(attemptLimits(1, content.length))
    const { replies } = await session.send(mail, recipients, content, budget)
    budget.end()
    const answer = replies.get('b@partner.example')
    if (answer?.code !== 250) throw new Error(`not accepted: ${JSON.stringify(answer)}`)
    if (performance.now() >= end) return count
    if (!(await session.prepareForNext())) throw new Error('the session accepts no further message')
  }
}

/** Starts after the sessions are open, so that the profile has no loading and compiling of modules. */
async function startProfiler(): Promise<() => Promise<CpuProfile>> {
  const inspector = new Session()
  inspector.connect()
  await inspector.post('Profiler.enable')
  await inspector.post('Profiler.setSamplingInterval', { interval: 200 })
  await inspector.post('Profiler.start')
  return async () => {
    const { profile } = await inspector.post('Profiler.stop')
    inspector.disconnect()
    return profile
  }
}

process.on('message', (load: ClientLoad) => {
  run(load)
    .then((result): ClientAnswer => ({ kind: 'Ran', result }))
    .catch((error): ClientAnswer => ({ kind: 'Failed', cause: String(error) }))
    .then((answer) => process.send?.(answer))
})
